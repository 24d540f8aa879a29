/** `lucid problems`: what there is to train. */
import type { Command } from "@commander-js/extra-typings";
import { planes } from "../../problems/planes/index.ts";
import { table } from "../shared/table.ts";
import { printJson, type Terminal } from "../shared/terminal.ts";

const networks = {
  mlp: "A fully connected network with cross-entropy loss, on --data digits or mnist.",
};

export function addProblems(program: Command, terminal: Terminal): void {
  program
    .command("problems")
    .description("List the problems: networks, and planes of which everything is known.")
    .option("--json", "print one JSON document")
    .action(({ json }) => {
      const listed = [
        ...Object.entries(networks).map(([name, description]) => ({
          name,
          kind: "network",
          description,
        })),
        ...Object.entries(planes).map(([name, { create, description }]) => {
          const { start, domain, minimum, critical } = create().plane;
          return { name, kind: "plane", description, start, domain, minimum, critical };
        }),
      ];
      if (json) printJson(terminal, listed);
      else {
        terminal.out(table(listed.map(({ name, kind, description }) => [name, kind, description])));
      }
    });
}
