/** The generator of docs/methods.md from the registry of methods: `node scripts/methods-doc.ts`. */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { format } from "prettier";
import { describeSettings, methods, type MethodEntry } from "../src/sam/registry.ts";

const path = resolve(import.meta.dirname, "../docs/methods.md");

const introduction = `# Methods

*Written by \`node scripts/methods-doc.ts\` from the registry in \`src/sam\`. Do not edit.*

Every method is an *ascent* (where to look: x⁺) and an *outer* optimizer (how to move: SGD, AdamW)
with a rule in between. g = ∇f(x), u = g/‖g‖, ‖·‖ is the norm over all parameters unless said
otherwise, \`outer(x, v)\` is the outer optimizer's step from x along v.

\`lucid train --method NAME --rho 0.1 --set key=value\` takes the settings below; \`rho\` may also be a
schedule such as \`"cosine(0.1, 0)"\`, \`power\`, \`linear\` or \`stepwise\`. From TypeScript:
\`createMethod("asam", { rho: 0.5 }, sgd({ learningRate: 0.1 }))\`, or the function of the method.

What holds for all of them: x is restored exactly; a vanishing gradient gives a vanishing
perturbation, and no small number is added to denominators; all passes of a step see the same batch
and the same random masks; running statistics are updated by the first gradient pass alone; weight
decay and clipping belong to the outer optimizer and never shape the ascent; a step that meets
numbers that are not finite is skipped whole; the loss reported is that of the first pass. One
gradient evaluation is a forward and a backward pass over the batch; a forward pass counts as a
third, a Hessian-vector product as two.

“Hallucinates” says whether the method can come to rest, or be held, where ∇f does not vanish.
`;

export function methodsDocument(): Promise<string> {
  const rows = methods.map(
    ({ name, title, evaluations, state, hallucination }) =>
      `| [${name}](#${anchor(title)}) | ${title} | ${evaluations} | ${state} | ${hallucination.possible} |`,
  );
  const overview = [
    "| name | method | gradients per step | state | hallucinates |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
  const text = [introduction, overview, ...methods.map(section)].join("\n\n");
  return format(text, { parser: "markdown", printWidth: 100 });
}

/** The anchor that Markdown viewers give a heading. */
const anchor = (title: string) =>
  title
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number} _-]/gu, "")
    .replaceAll(" ", "-");

function section(method: MethodEntry): string {
  const { name, aliases, title, formula, evaluations, state, hallucination, citation } = method;
  const settings = describeSettings(method).map(
    (setting) =>
      `| \`${setting.name}\` | ${showDefault(setting.default)} | ${escape(setting.description)} |`,
  );
  const own =
    settings.length === 0
      ? []
      : [["| setting | default | meaning |", "| --- | --- | --- |", ...settings].join("\n")];
  const elsewhere = Object.entries(method.elsewhere).map(([library, its]) => `${library}: ${its}`);
  return [
    `## ${title}`,
    `\`${name}\`${aliases.map((alias) => `, \`${alias}\``).join("")}`,
    `> ${escape(formula)}`,
    [
      `- Gradients per step: ${evaluations}`,
      `- State: ${state}`,
      `- Hallucinates: ${hallucination.possible}; ${hallucination.why}`,
      `- Source: ${citation}`,
      ...(elsewhere.length > 0 ? [`- Elsewhere: ${elsewhere.join("; ")}`] : []),
    ].join("\n"),
    ...(method.wraps === undefined
      ? []
      : [
          `The setting \`of\` (default \`${method.wraps}\`) names the method it is made around; settings not listed here go to that one.`,
        ]),
    ...own,
    ...(method.differences.length === 0
      ? []
      : [`Differences from public code:\n\n${method.differences.map((d) => `- ${d}`).join("\n")}`]),
  ].join("\n\n");
}

const escape = (text: string) => text.replaceAll("|", "\\|").replaceAll("*", "\\*");

const showDefault = (value: unknown) =>
  JSON.stringify(value) === "{}" ? "" : `\`${String(value)}\``;

if (process.argv[1] === import.meta.filename) writeFileSync(path, await methodsDocument());
