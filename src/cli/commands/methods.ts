/** `lucid methods`: the list of methods, and all about one. */
import type { Command } from "@commander-js/extra-typings";
import { describeSettings, findMethod, methods, type MethodEntry } from "../../sam/registry.ts";
import { fitted, wrapText } from "../shared/table.ts";
import { printJson, type Terminal } from "../shared/terminal.ts";

export function addMethods(program: Command, terminal: Terminal): void {
  program
    .command("methods")
    .description("List the methods, or say everything about one.")
    .argument("[name]", "a method")
    .option("--json", "print one JSON document")
    .action((name, { json }) => {
      if (name !== undefined) {
        const method = findMethod(name);
        if (json) printJson(terminal, toJson(method));
        else terminal.out(describe(method, terminal.columns));
      } else if (json) printJson(terminal, methods.map(toJson));
      else {
        const rows = methods.map(({ name, title, formula }) => [name, title, formula]);
        terminal.out(fitted(rows, terminal.columns));
      }
    });
}

/** Everything about a method that is data. */
const toJson = (method: MethodEntry) => ({
  ...method,
  options: undefined,
  settings: describeSettings(method),
});

function describe(method: MethodEntry, columns = Infinity): string {
  const { name, aliases, title, formula, state, evaluations, hallucination, citation } = method;
  const settings = describeSettings(method);
  const list = (heading: string, lines: readonly string[]) =>
    lines.length === 0
      ? ""
      : `\n${heading}\n${lines
          .flatMap((line) => wrapText(line, columns - 2))
          .map((line) => `  ${line}\n`)
          .join("")}`;
  return [
    `${title}\n\n`,
    fitted(
      [
        ["name", [name, ...aliases].join(", ")],
        ["rule", formula],
        ["state", state],
        ["gradients per step", String(evaluations)],
        ["can hallucinate", `${hallucination.possible}: ${hallucination.why}`],
        ["source", citation],
        ...Object.entries(method.elsewhere).map(([library, its]) => [`in ${library}`, its]),
      ],
      columns,
    ),
    list(
      "Settings",
      fitted(
        settings.map(({ name, description, default: value }) => [
          name === "rho" ? "--rho" : `--set ${name}`,
          `${description}${defaultOf(value)}`,
        ]),
        columns - 2,
      )
        .split("\n")
        .filter((line) => line !== ""),
    ),
    list("Differences from public code", method.differences),
  ].join("");
}

/** Defaults that are empty objects say nothing. */
function defaultOf(value: unknown): string {
  if (value === undefined || JSON.stringify(value) === "{}") return "";
  return ` (default: ${typeof value === "string" ? value : JSON.stringify(value)})`;
}
