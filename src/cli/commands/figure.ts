/** `lucid figure`: figures from the rows of a study. */
import { extname } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { InputError, unknownName } from "../../engine/errors.ts";
import { figuresFor } from "../../figures/registry.ts";
import { writeBytes, writeText } from "../../platform/node/files.ts";
import { figureRuns } from "../../reproduce/study.ts";
import { toColumns, toCsv } from "../../study/table.ts";
import { option, storeOption } from "../shared/arguments.ts";
import { openStored } from "../shared/stored.ts";
import type { Terminal } from "../shared/terminal.ts";

const choices = figuresFor("runs");

interface FigureFlags {
  readonly store?: string;
  readonly out?: string;
  readonly data?: string;
}

export function addFigure(program: Command, terminal: Terminal): void {
  program
    .command("figure")
    .description("Draw a figure from the rows of a study; those of the paper go by their number.")
    .argument("<name>", choices.map(({ name, title }) => `${name}: ${title}`).join("; "))
    .argument("<study>", "the folder or file of a study, or its name in the database")
    .addOption(storeOption())
    .addOption(option("--out <file>", "SVG or PNG, as it ends (default: figure-NAME.svg)"))
    .addOption(option("--data <file>", "the numbers behind it: CSV or JSON, as it ends"))
    .action((name, study, flags) => figure(name, study, flags, terminal));
}

async function figure(
  name: string,
  study: string,
  { store, out = `figure-${name}.svg`, data }: FigureFlags,
  terminal: Terminal,
): Promise<void> {
  const chosen = choices.find((entry) => entry.name === name);
  if (chosen === undefined) {
    const names = choices.map((entry) => entry.name);
    throw unknownName("figure", name, names);
  }
  checkEnding("out", out, [".svg", ".png"]);
  if (data !== undefined) checkEnding("data", data, [".csv", ".json"]);
  const stored = await openStored(study, store);
  try {
    const runs = await figureRuns(stored);
    if (runs.length === 0) throw new InputError(`missing rows in ${stored.name} (run lucid sweep)`);
    const numbers = chosen.numbers(runs);
    if (numbers.length === 0) {
      const others = choices.filter((entry) => entry.numbers(runs).length > 0);
      throw new InputError(
        `missing histories in ${stored.name}: figure ${name} draws steps, and none were kept (choose from ${others.map((entry) => entry.name).join(", ")})`,
      );
    }
    const { renderPng, renderSvg } = await import("../../figures/render.ts");
    const drawn = await chosen.draw(runs);
    if (extname(out) === ".png") await writeBytes(out, new Uint8Array(renderPng(drawn)));
    else await writeText(out, renderSvg(drawn));
    terminal.err.write(`${out}: ${runs.length} runs\n`);
    if (data === undefined) return;
    await writeText(
      data,
      extname(data) === ".csv" ? toCsv(toColumns(numbers)) : `${JSON.stringify(numbers)}\n`,
    );
  } finally {
    await stored.close();
  }
}

function checkEnding(flag: string, file: string, endings: readonly string[]): void {
  if (endings.includes(extname(file))) return;
  throw new InputError(
    `invalid ${flag}: ${file} (give a file that ends in ${endings.join(" or ")})`,
  );
}
