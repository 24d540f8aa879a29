/** `lucid problems`: the list of problems and data sets, and all about one. */
import type { Command } from "@commander-js/extra-typings";
import { planes, type PlaneName } from "../../problems/planes/index.ts";
import { describeProblem, findProblem, problemOptions, problems } from "../../problems/registry.ts";
import type { ProblemEntry } from "../../problems/entry.ts";
import { kebab, withDefault } from "../shared/flags.ts";
import { table } from "../shared/table.ts";
import { printJson, type Terminal } from "../shared/terminal.ts";

export function addProblems(program: Command, terminal: Terminal): void {
  program
    .command("problems")
    .description("List the problems, networks and planes, or say everything about one.")
    .argument("[name]", "a problem")
    .option("--json", "print one JSON document")
    .action((name, { json }) => {
      if (name !== undefined) {
        const problem = findProblem(name);
        if (json) printJson(terminal, toJson(problem));
        else terminal.out(describe(problem));
      } else if (json) printJson(terminal, problems.map(toJson));
      else {
        terminal.out(
          table(problems.map((problem) => [problem.name, problem.kind, describeProblem(problem)])),
        );
      }
    });
}

/** Everything about a problem that is data; of planes what is known of them, too. */
function toJson(problem: ProblemEntry) {
  const { name, aliases, kind, formula, data, defaults } = problem;
  const description = describeProblem(problem);
  const options = problemOptions(problem);
  const listed = { name, aliases, kind, description, formula, data, defaults, options };
  if (!isPlane(name)) return listed;
  const { start, domain, minimum, critical } = planes[name].create().plane;
  return { ...listed, start, domain, minimum, critical };
}

const isPlane = (name: string): name is PlaneName => Object.hasOwn(planes, name);

function describe(problem: ProblemEntry): string {
  const { name, aliases = [], formula, defaults = {} } = problem;
  const options = problemOptions(problem);
  const own = Object.entries(defaults).map(([field, value]) => `--${kebab(field)} ${value}`);
  return [
    `${describeProblem(problem)}\n\n`,
    table([
      ["name", [name, ...aliases].join(", ")],
      ...(formula === undefined ? [] : [["loss", formula]]),
      ...(own.length === 0 ? [] : [["unless said otherwise", own.join(" ")]]),
    ]),
    "\nOptions\n",
    table(
      options.map(({ name, description, default: value }) => [
        `  --${kebab(name)}`,
        withDefault(description, value),
      ]),
    ),
  ].join("");
}
