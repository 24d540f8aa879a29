/** `lucid compare`: runs side by side, how far apart they ended, and what lies between. */
import { basename, dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "@commander-js/extra-typings";
import { distance, minus, norm, unit, type Vector } from "../../diagnostics/algebra/vectors.ts";
import { fill, layersOf, ticks, type Place } from "../../diagnostics/landscape/grid.ts";
import { compileLandscape } from "../../diagnostics/landscape/landscape.ts";
import { flatten } from "../../diagnostics/point/derivatives.ts";
import { InputError } from "../../engine/errors.ts";
import { leavesWithPaths, printType } from "../../engine/tensor.ts";
import { methodWords } from "../../figures/runs.ts";
import type { LandscapeData } from "../../figures/landscape.ts";
import { makeFolder, writeText } from "../../platform/node/files.ts";
import { startProgress, type Progress } from "../../platform/node/progress.ts";
import type { ComparedRun } from "../../report/compare-page.ts";
import { short, shortOrDash, whole } from "../../report/words.ts";
import { radiusWords } from "../../run/radius.ts";
import type { StoredRun } from "../../read/run.ts";
import { readRunFolder } from "../../store/run-folder.ts";
import { chooseEngine, engineOption, option } from "../shared/arguments.ts";
import { targetOfRun } from "../shared/point.ts";
import { table } from "../shared/table.ts";
import { printJson, type Terminal } from "../shared/terminal.ts";

interface CompareFlags {
  readonly out?: string;
  readonly engine?: string;
  readonly json?: boolean;
}

export function addCompare(program: Command, terminal: Terminal): void {
  program
    .command("compare")
    .description("Show runs side by side: curves, verdicts, distances, and what lies between.")
    .argument("<runs...>", "folders of finished runs, two or more")
    .addOption(option("--out <file>", "a page with pictures (default: compare.html)"))
    .addOption(engineOption())
    .option("--json", "print one JSON document instead of tables")
    .action(async (runs, flags) => {
      const progress = startProgress({ stream: terminal.err });
      try {
        await compare(runs, flags, progress, terminal);
      } finally {
        progress.done();
      }
    });
}

/** A run's end, ready to be compared. */
interface End extends Required<Pick<StoredRun, "result" | "rows">> {
  readonly folder: string;
  readonly name: string;
  /** Names and types of the parameters: ends of one kind can be subtracted. */
  readonly kind: string;
  readonly point: Vector;
}

async function compare(
  folders: readonly string[],
  { out = "compare.html", engine, json }: CompareFlags,
  progress: Progress,
  terminal: Terminal,
): Promise<void> {
  if (folders.length < 2) throw new InputError("missing runs (give two folders or more)");
  const ends: End[] = [];
  for (const folder of folders) {
    const run = await readRunFolder(folder);
    const { model } = await targetOfRun(folder, {}, progress);
    const { result, rows } = run;
    if (result === undefined) throw new Error("a run that is not finished has no model");
    const types = leavesWithPaths(model.params).map(([path, leaf]) => `${path} ${printType(leaf)}`);
    const name = folders.filter((other) => basename(resolve(other)) === basename(resolve(folder)));
    ends.push({
      folder,
      result,
      rows,
      name: name.length > 1 ? folder : basename(resolve(folder)),
      kind: types.join(", "),
      point: flatten(model.params),
    });
  }
  const runs = ends.map(({ name, rows, result, kind, point }): ComparedRun => ({
    name,
    method: methodWords(result.spec),
    radius: result.spec.rho === undefined ? "" : radiusWords(result.spec.rho, [result.relativeRho]),
    rows,
    verdict: result.verdict.name,
    final: result.final,
    distances: ends.map((other) => (other.kind === kind ? distance(point, other.point) : null)),
  }));
  const [first, ...others] = ends as [End, ...End[]];
  const lines: { to: string; data: LandscapeData }[] = [];
  for (const other of others) {
    if (other.kind !== first.kind || distance(first.point, other.point) === 0) continue;
    progress.update(() => `on the way from ${first.name} to ${other.name}`);
    lines.push({ to: other.name, data: await between(first, other, engine, progress) });
  }
  const { comparePage } = await import("../../report/compare-page.ts");
  await makeFolder(dirname(out));
  await writeText(out, comparePage({ runs, lines }));
  progress.done();
  if (json) {
    printJson(terminal, {
      out,
      runs: runs.map(({ name, verdict, final, distances }) => ({
        name,
        verdict,
        final,
        distances,
      })),
      lines: lines.map(
        ({
          to,
          data: {
            ticks: [at],
            loss,
            shiftedLoss,
          },
        }) => ({ to, at, loss, shiftedLoss }),
      ),
    });
    return;
  }
  terminal.out(
    table([
      [
        "run",
        "radius",
        "verdict",
        "steps",
        "loss",
        "GradRatio",
        ...runs.map(({ name }) => `to ${name}`),
      ],
      ...runs.map(({ name, radius, verdict, final, distances }) => [
        name,
        radius || "–",
        verdict,
        whole(final.step),
        short(final.loss),
        short(final.gradRatio),
        ...distances.map(shortOrDash),
      ]),
    ]),
  );
  for (const { to, data } of lines) terminal.out(`${first.name} to ${to}: ${barrierWords(data)}\n`);
  terminal.out(`${pathToFileURL(resolve(out)).href}\n`);
}

/** f and f(x⁺) on the line through two ends, a quarter of the way beyond each. */
async function between(
  first: End,
  other: End,
  engine: string | undefined,
  progress: Progress,
): Promise<LandscapeData> {
  const { problem, rho, model, description } = await targetOfRun(first.folder, {}, progress);
  const apart = distance(first.point, other.point);
  const grid = [ticks(-0.25 * apart, 1.25 * apart, 151)];
  const axis = { name: `the way to ${other.name}`, vector: unit(minus(other.point, first.point)) };
  const landscape = await compileLandscape({
    problem,
    center: first.point,
    axes: [axis],
    rho,
    statistics: model.statistics,
    engine: chooseEngine(engine),
  });
  const known = new Map<string, Place>();
  await fill(landscape, grid, { known });
  await landscape.dispose();
  return {
    title: `From ${first.name} to ${other.name}: ${description ?? problem.name}`,
    rho,
    relativeRho: rho / norm(first.point),
    axes: [axis.name],
    ticks: grid,
    ...layersOf(grid, known),
    paths: [],
    marks: [
      { name: first.name, at: [0] },
      { name: other.name, at: [apart] },
    ],
  };
}

/** How high the loss rises between two ends above the higher of them. */
export function barrierWords({ ticks: [at = []], loss, marks }: LandscapeData): string {
  const end = marks.at(-1)?.at[0] ?? 0;
  const inside = loss.filter((_, i) => (at[i] ?? -1) >= 0 && (at[i] ?? Infinity) <= end);
  const higher = Math.max(inside[0] ?? 0, inside.at(-1) ?? 0);
  const barrier = Math.max(...inside) - higher;
  return barrier > 1e-9 * Math.abs(higher)
    ? `the loss rises by ${short(barrier)} above the higher end: a ridge parts them`
    : "the loss does not rise above the higher end: nothing parts them on this line";
}
