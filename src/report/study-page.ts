/** The page of a study: where its runs ended, how they got there, and every row behind it. */
import { finalLossFigure } from "../figures/final.ts";
import { gradRatioFigure, lossFigure } from "../figures/trajectories.ts";
import { verdictOf, type FigureRun } from "../figures/runs.ts";
import type { VerdictName } from "../diagnostics/verdict.ts";
import { escape, htmlTable, page, picture, verdictTag } from "./page.ts";
import { short, shortOrDash, whole } from "./words.ts";

/** A run of a study, with where it stands on the study's axes. */
export interface StudyRun extends FigureRun {
  /** Identity of the cell. */
  readonly cell: string;
  /** Values on the axes, seed included. */
  readonly at: { readonly [axis: string]: unknown };
}

/** What a {@link studyPage} shows. */
export interface StudyPageOptions {
  readonly name: string;
  readonly description: string;
  /** Runs that did not fail. */
  readonly runs: readonly StudyRun[];
  /** Cells in all, finished or not. */
  readonly cells: number;
  /** Cells that failed, and why. */
  readonly failures: readonly { readonly cell: string; readonly error: string }[];
}

/** The page, as HTML that needs nothing but itself. */
export function studyPage({ name, description, runs, cells, failures }: StudyPageOptions): string {
  const axes = [...new Set(runs.flatMap(({ at }) => Object.keys(at)))];
  const groups = Map.groupBy(runs, ({ at }) =>
    JSON.stringify(axes.filter((axis) => axis !== "seed").map((axis) => at[axis] ?? null)),
  );
  return page(
    `Study ${name}`,
    `<h1>Study ${escape(name)}</h1>
<p class="lead">${escape(description)}</p>
<p>${whole(runs.length)} of ${whole(cells)} runs are done${failures.length > 0 ? `, ${whole(failures.length)} failed` : ""}.</p>
<h2>What became of the runs</h2>
${htmlTable(
  [
    ...axes.filter((axis) => axis !== "seed"),
    "runs",
    "median loss",
    "least",
    "most",
    "verdicts",
  ].map(escape),
  [...groups.values()].map((group) => groupCells(group, axes)),
)}
${
  runs.length > 0
    ? `<h2>Where they ended</h2>
${picture(finalLossFigure(runs), "Every run by its loss at the end; the mark is the verdict.")}`
    : ""
}
${
  runs.some(({ rows }) => rows.length > 0)
    ? `<h2>How they got there</h2>
${picture(lossFigure(runs), "The loss of each step, before the step.")}
${picture(gradRatioFigure(runs), "How large the gradient is that SAM follows, relative to the true one.")}`
    : ""
}
<h2>Every run</h2>
<p class="small">The last column is the cell: <code>lucid sweep export</code> has its row under that name.</p>
${htmlTable(
  [
    ...axes,
    "ρ/‖x₀‖",
    "verdict",
    "steps",
    "loss",
    "f(x⁺)",
    "‖g‖",
    "GradRatio",
    "train",
    "test",
    "cell",
  ].map(escape),
  runs.map((run) => runCells(run, axes)),
)}
${
  failures.length > 0
    ? `<h2>Failed</h2>
${htmlTable(
  ["cell", "why"],
  failures.map(({ cell, error }) => [`<code>${escape(cell)}</code>`, escape(error)]),
)}`
    : ""
}`,
  );
}

const words = (value: unknown): string =>
  value === undefined || value === null
    ? "–"
    : typeof value === "string"
      ? value
      : JSON.stringify(value);

function groupCells(group: readonly StudyRun[], axes: readonly string[]): string[] {
  const losses = group.map(({ result }) => result.final.loss ?? Number.NaN).sort((a, b) => a - b);
  const counts = new Map<VerdictName, number>();
  for (const run of group) counts.set(verdictOf(run), (counts.get(verdictOf(run)) ?? 0) + 1);
  return [
    ...axes.filter((axis) => axis !== "seed").map((axis) => escape(words(group[0]?.at[axis]))),
    whole(group.length),
    ...[losses[Math.floor(losses.length / 2)], losses[0], losses.at(-1)].map((loss) =>
      short(loss ?? null),
    ),
    [...counts].map(([name, count]) => `${count} ${verdictTag(name)}`).join(" "),
  ];
}

/** ρ/‖x₀‖; rows of earlier versions do not have it. */
const relativeOf = ({ result: { relativeRho } }: StudyRun) =>
  typeof relativeRho === "number" ? short(relativeRho) : "–";

function runCells(run: StudyRun, axes: readonly string[]): string[] {
  const { final } = run.result;
  return [
    ...axes.map((axis) => escape(words(run.at[axis]))),
    relativeOf(run),
    verdictTag(verdictOf(run)),
    whole(final.step),
    ...[final.loss, final.shiftedLoss, final.gradNorm, final.gradRatio].map(short),
    ...[final.trainAccuracy, final.testAccuracy].map(shortOrDash),
    `<code id="${escape(run.cell)}">${escape(run.cell)}</code>`,
  ];
}
