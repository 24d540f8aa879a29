/** `lucid reproduce`: every figure of the paper, each with its numbers and the spec that made it, on one page. */
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "@commander-js/extra-typings";
import { InputError, unknownName } from "../../engine/errors.ts";
import { makeFolder, writeBytes, writeText } from "../../platform/node/files.ts";
import { catchInterrupt } from "../../platform/node/interrupt.ts";
import { startProgress } from "../../platform/node/progress.ts";
import { presets, type Made, type Preset, type Recipe } from "../../reproduce/recipe.ts";
import { duration } from "../../report/words.ts";
import { toColumns, toCsv } from "../../study/table.ts";
import {
  chooseEngine,
  chooseWorkers,
  engineOption,
  option,
  workersOption,
} from "../shared/arguments.ts";
import { Interrupted, printJson, type Terminal } from "../shared/terminal.ts";

interface ReproduceFlags {
  readonly figure?: string;
  readonly preset?: string;
  readonly list?: boolean;
  readonly out?: string;
  readonly workers?: string;
  readonly engine?: string;
  readonly json?: boolean;
}

export function addReproduce(program: Command, terminal: Terminal): void {
  program
    .command("reproduce")
    .description("Make the figures of the paper anew, with their numbers, on one page.")
    .addOption(option("--figure <number>", "only this figure of the paper, 1 to 11 (default: all)"))
    .addOption(
      option(
        "--preset <name>",
        "quick: minutes; standard: hours; paper: the paper's own sizes, days (default: quick)",
      ),
    )
    .option("--list", "say what each figure shows and costs, and make none")
    .addOption(option("--out <folder>", "a second call goes on there (default: reproduction)"))
    .addOption(workersOption())
    .addOption(engineOption())
    .option("--json", "print one JSON document")
    .action((flags: ReproduceFlags) => reproduce(flags, terminal));
}

async function reproduce(flags: ReproduceFlags, terminal: Terminal): Promise<void> {
  const preset = choosePreset(flags.preset);
  // Loaded on demand, as is all that draws and trains.
  const { recipes } = await import("../../reproduce/registry.ts");
  const { costWords, figureWords, reproductionPage } = await import("../../reproduce/page.ts");
  const wanted = chooseRecipes(recipes, flags.figure);
  if (flags.list) {
    const rows = wanted.map((recipe) => ({
      figures: recipe.figures,
      title: recipe.title,
      seconds: recipe.seconds,
    }));
    if (flags.json) printJson(terminal, rows);
    else {
      const lines = wanted.map(
        (recipe) => `${figureWords(recipe)}: ${recipe.title}\n  ${costWords(recipe)}\n`,
      );
      terminal.out(lines.join(""));
    }
    return;
  }
  const engine = chooseEngine(flags.engine);
  const workers = chooseWorkers(flags.workers);
  const out = join(flags.out ?? "reproduction", preset);
  await makeFolder(out);
  const progress = startProgress({ stream: terminal.err });
  const interrupt = catchInterrupt(() => progress.note("stopping …"));
  const total = wanted.reduce((sum, { seconds }) => sum + seconds[preset], 0);
  progress.note(
    `${wanted.map(figureWords).join(", ")}, preset ${preset}: about ${duration(total)} on two quiet cores`,
  );
  try {
    const { renderPng, renderSvg } = await import("../../figures/render.ts");
    const all: { recipe: Recipe; made: readonly Made[] }[] = [];
    for (const recipe of wanted) {
      const words = figureWords(recipe);
      const made = await recipe
        .make({
          preset,
          folder: join(out, `runs-${recipe.figures.join("-")}`),
          engine,
          workers,
          signal: interrupt.signal,
          onProgress: (what) => progress.update(() => `${words}: ${what}`),
        })
        .catch((error: unknown) => {
          if (interrupt.signal.aborted) {
            throw new Interrupted(`stopped at ${words}; the same command goes on from there`);
          }
          throw error;
        });
      for (const { name, figure, numbers, spec, caption } of made) {
        await writeText(join(out, `${name}.svg`), renderSvg(figure));
        await writeBytes(join(out, `${name}.png`), new Uint8Array(renderPng(figure)));
        await writeText(join(out, `${name}.csv`), toCsv(toColumns(numbers)));
        const record = { figures: recipe.figures, preset, caption, spec };
        await writeText(join(out, `${name}.json`), `${JSON.stringify(record, null, 2)}\n`);
      }
      progress.note(`${words}: ${made.map(({ name }) => name).join(", ")}`);
      all.push({ recipe, made });
    }
    const name = flags.figure === undefined ? "index.html" : `figure-${flags.figure}.html`;
    const file = join(out, name);
    await writeText(file, reproductionPage(all, preset));
    progress.done();
    if (flags.json) {
      printJson(terminal, {
        out,
        preset,
        figures: all.map(({ recipe, made }) => ({
          figures: recipe.figures,
          made: made.map(({ name, caption, spec }) => ({ name, caption, spec })),
        })),
      });
    } else terminal.out(`${pathToFileURL(resolve(file)).href}\n`);
  } finally {
    progress.done();
    interrupt.dispose();
  }
}

function choosePreset(name = "quick"): Preset {
  const found = presets.find((preset) => preset === name);
  if (found === undefined) throw unknownName("preset", name, presets);
  return found;
}

function chooseRecipes(recipes: readonly Recipe[], number: string | undefined): readonly Recipe[] {
  if (number === undefined) return recipes;
  const chosen = recipes.filter(({ figures }) => figures.some((own) => String(own) === number));
  if (chosen.length > 0) return chosen;
  const known = recipes.flatMap(({ figures }) => figures).sort((a, b) => a - b);
  throw new InputError(`unknown figure ${number} (the paper's are ${known.join(", ")})`);
}
