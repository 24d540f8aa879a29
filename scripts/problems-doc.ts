/** The generator of docs/problems.md from the registries: `node scripts/problems-doc.ts`. */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { format } from "prettier";
import { imageFields, recipeFields } from "../src/problems/datasets/images.ts";
import { isDrawn } from "../src/problems/datasets/entry.ts";
import { datasets } from "../src/problems/datasets/registry.ts";
import type { ProblemEntry } from "../src/problems/entry.ts";
import { expressionEntry, functionNames } from "../src/problems/planes/index.ts";
import { describeProblem, problemOptions, problems } from "../src/problems/registry.ts";
import { describeOptions, type OptionDescription } from "../src/settings/fields.ts";
import { z } from "zod";

const path = resolve(import.meta.dirname, "../docs/problems.md");

const introduction = `# Problems and data sets

*Written by \`node scripts/problems-doc.ts\` from the registries in \`src/problems\`. Do not edit.*

A problem is a loss and the samples it is a mean over. \`lucid train --problem NAME\` takes the options
below as flags, a study and \`parseSpec\` take them as fields; \`lucid problems NAME\` lists them. A field
that several problems have means the same to all of them.
`;

const adding = `## Adding a problem

Two files and a line:

1. \`src/problems/networks/NAME.ts\` exports a function that makes the [\`Problem\`](../src/problems/problem.ts),
   for those who import the library, and an entry for those who name it:

   \`\`\`ts
   export const nameEntry = problemEntry({
     name: "name",
     kind: "network",
     title: "One sentence.",
     options: z.object({ width: number(8, "width of the layer", { min: 1, integer: true }) }),
     data: "images", // or "tokens", "graph", or "none", for samples of its own
     describe: ({ width }) => \`width \${width}\`,
     create: ({ width, dtype }, { train, test, classes }) => name({ train, test, classes, width, dtype }),
   });
   \`\`\`

   The words for options (\`number\`, \`flag\`, \`choice\`, \`list\`) are in \`src/settings/fields.ts\`; they read the
   text of flags, too. \`unlessDefault\` is for an option added to a problem whose runs are stored already.
2. \`src/problems/networks/NAME.test.ts\`: loss and derivatives against plain loops that share no code
   with it, see \`regression.test.ts\`.
3. A line in \`src/problems/registry.ts\`. Flags, fields of studies, \`lucid problems\`, \`certify\`, \`find\`
   and this page follow.

While a step is traced, jax-js makes a plain number float32 even beside float64 arrays: constants go
through \`scalar()\` and means through \`mean()\` of \`src/engine/arrays.ts\`. A plane is a function of its own file
and a line in \`src/problems/planes/index.ts\`.

## Adding a data set

A file and a line: \`src/problems/datasets/NAME.ts\` exports a \`datasetEntry\` with the SHA-256 of every file,
unpacked, the addresses of folders that hold them as \`FILE.gz\`, and \`read\`, which turns their bytes into
images and labels; \`mnist.ts\` is an example, \`digits.ts\` one that needs no files. The line goes into
\`src/problems/datasets/registry.ts\`. Files are then found in \`LUCID_DATA\`, in the cache, or downloaded and
verified.

Images keep their shape: samples are \`{ x: float[n, channels, height, width], y: int32[n] }\`. Data sets of
tokens and graphs bring their samples as they are (\`modular.ts\`, \`graphs.ts\`); \`paths\` names files of the
user's own, which are read as they are (\`text.ts\`).
`;

export function problemsDocument(): Promise<string> {
  const overview = [
    "| name | problem |",
    "| --- | --- |",
    ...problems
      .filter(({ kind }) => kind !== "plane")
      .map(({ name, title }) => `| [${name}](#${name}) | ${escape(title)} |`),
    `| ${problems.filter(({ kind }) => kind === "plane").length} [planes](#planes) | Functions of two variables with closed forms, and any that you type. |`,
  ].join("\n");
  const text = [
    introduction,
    overview,
    ...problems.filter(({ kind }) => kind !== "plane").map(section),
    planeSection(problems.filter(({ kind }) => kind === "plane")),
    dataSection(),
    adding,
  ].join("\n\n");
  return format(text, { parser: "markdown", printWidth: 100 });
}

function section(problem: ProblemEntry): string {
  const { name, formula, defaults = {} } = problem;
  const own = Object.entries(defaults).map(([field, value]) => `${field} ${value}`);
  return [
    `## ${name}`,
    describeProblem(problem),
    ...(formula === undefined ? [] : [`> ${escape(formula)}`]),
    ...(own.length === 0 ? [] : [`Unless said otherwise: ${own.join(", ")}.`]),
    optionTable(problemOptions(problem)),
  ].join("\n\n");
}

/** Planes differ in what they show, hardly in their options. */
function planeSection(all: readonly ProblemEntry[]): string {
  const planes = all.filter(({ name }) => name !== expressionEntry.name);
  const [first] = planes;
  const own = Object.entries(first?.defaults ?? {}).map(([field, value]) => `${field} ${value}`);
  const shared = first === undefined ? [] : problemOptions(first).slice(0, 1);
  const rows = planes.map((plane) => {
    const [start, ...others] = problemOptions(plane);
    const more = others.map(({ name, description }) => ` Option \`${name}\`: ${description}.`);
    return `| \`${plane.name}\` | \`${JSON.stringify(start?.default)}\` | ${escape(plane.title)}${more.join("")} |`;
  });
  return [
    "## Planes",
    `Functions of two variables of which everything is known: values, gradients, Hessians, critical points (\`lucid problems --json\`). Unless said otherwise: ${own.join(", ")}. Their option:`,
    ...shared.map(({ name, description }) => `- \`${name}\`: ${description}`),
    ["| plane | start | what it is |", "| --- | --- | --- |", ...rows].join("\n"),
    ...typedPlane(),
  ].join("\n\n");
}

/** A plane that the reader writes down. */
function typedPlane(): string[] {
  return [
    "### expression",
    `Is the function you have in mind not in the list? Type it: \`lucid train --problem expression --f "sin(x1)*x2^2" --rho 0.5\`. Certificates, \`lucid find\`, landscapes and verdicts work for it as for the others. Its derivatives are those of the expression; its critical points are searched for with Newton's method from a grid in \`range\`, so a list of them is no proof that there are no others, and its least value is not known. A run begins 3/10 of the range from the left and 6/10 from below.`,
    `Functions: ${functionNames.map((name) => `\`${name}\``).join(", ")}. \`-x1^2\` is −(x₁²), \`2^3^2\` is 2^(3²), and a power that is no whole number is NaN for a negative base. In JavaScript: \`expression("sin(x1)*x2^2")\` of \`lucid-sam/problems\`.`,
    optionTable(problemOptions(expressionEntry)),
  ];
}

function dataSection(): string {
  return ["## Data sets", ...(["images", "tokens", "graph"] as const).flatMap(dataSetsOf)].join(
    "\n\n",
  );
}

const kinds = {
  images: "Problems that learn images take `--data NAME` and:",
  tokens:
    "Problems that learn sequences of tokens take `--data NAME` and the options of the data set. Samples are `{ x: int32[n, places], y: int32[n, predicted] }`: what follows each of the last places.",
  graph:
    "Problems on graphs take `--data NAME` and the options of the data set. Samples are all nodes, `{ x: float[nodes, features], y: int32[nodes], weight: float[nodes] }`: the classes of a few are known, and their weights are not 0 in training; the test asks for all others. Every step sees the whole graph, `--batch full`.",
};

function dataSetsOf(kind: keyof typeof kinds): string[] {
  return [
    kinds[kind],
    ...(kind === "images"
      ? [optionTable(describeOptions(z.object({ ...imageFields, ...recipeFields })))]
      : []),
    ...datasets
      .filter((dataset) => dataset.kind === kind)
      .flatMap((dataset) => [
        `### ${dataset.name}`,
        dataset.title,
        ...(isDrawn(dataset)
          ? []
          : [
              `Files (${dataset.megabytes} MB to download): ${Object.keys(dataset.files)
                .map((file) => `\`${file}\``)
                .join(", ")}.`,
            ]),
        optionTable(describeOptions(dataset.options)),
      ]),
  ];
}

function optionTable(options: readonly OptionDescription[]): string {
  if (options.length === 0) return "No options.";
  const rows = options.map(
    ({ name, description, default: value }) =>
      `| \`${name}\` | ${value === undefined ? "" : `\`${JSON.stringify(value)}\``} | ${escape(description)} |`,
  );
  return ["| option | default | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}

const escape = (text: string) => text.replaceAll("|", "\\|").replaceAll("*", "\\*");

if (process.argv[1] === import.meta.filename) writeFileSync(path, await problemsDocument());
