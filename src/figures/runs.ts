/** Runs as figures read them, and how they are grouped. */
import { rounded } from "../engine/digits.ts";
import { InputError } from "../engine/errors.ts";
import type { VerdictName } from "../diagnostics/verdict.ts";
import type { MetricRow } from "../run/history.ts";
import { finalOf } from "../run/history.ts";
import { firstRho } from "../run/radius.ts";
import type { RunResult } from "../run/run.ts";
import type { RunSpec } from "../run/spec.ts";
import type { TrainingRun } from "../run/training.ts";

/** What tells runs of one figure apart. */
export type RunName = Pick<RunSpec, "method" | "rho" | "seed" | "switch">;

/** A finished run: its result and the rows kept of its history, in the order of steps. */
export interface FigureRun {
  readonly result: Pick<RunResult, "final" | "relativeRho" | "verdict"> & {
    readonly spec: RunName;
    /** What the end point is by its curvature, where that was examined. */
    readonly certificate?: { readonly verdict: { readonly name: VerdictName } } | null;
  };
  readonly rows: readonly MetricRow[];
}

/** The certificate's verdict; where there is none, or it could not decide, the screen's. */
export function verdictOf({ result: { certificate, verdict } }: FigureRun): VerdictName {
  const certified = certificate?.verdict.name ?? "inconclusive";
  return certified === "inconclusive" ? verdict.name : certified;
}

/** Runs of one method, which share a panel. */
export interface MethodRuns {
  readonly name: string;
  readonly runs: readonly FigureRun[];
}

/**
 * Methods in the order in which they first occur, without a switch before with one: two methods.
 * Runs come by ρ and seed, whatever order a sweep finished them in.
 */
export function byMethod(runs: readonly FigureRun[]): MethodRuns[] {
  const by = (key: (run: FigureRun) => number) => (a: FigureRun, b: FigureRun) => key(a) - key(b);
  const ordered = [...runs]
    .sort(by(({ result: { spec } }) => spec.seed))
    .sort(by(radius))
    .sort(by(({ result: { spec } }) => spec.switch ?? 0));
  return [...Map.groupBy(ordered, ({ result }) => methodWords(result.spec))].map(
    ([name, runs]) => ({ name, runs }),
  );
}

/** `SAM from the start`, `descent for 10 %, then SAM` */
export function methodWords({ method, switch: at }: Pick<RunName, "method" | "switch">): string {
  const name = method === "gd" ? "gradient descent" : method.toUpperCase();
  if (at !== undefined) return `descent for ${rounded(100 * at, 3)} %, then ${name}`;
  return method === "gd" ? name : `${name} from the start`;
}

/** ρ of every run, each once, in ascending order. */
export function radii(runs: readonly FigureRun[]): number[] {
  return [...new Set(runs.map(radius))].sort((a, b) => a - b);
}

/** ρ of a run; 0 for methods that do not look ahead. A schedule counts as its first value. */
export function radius({ result: { spec } }: FigureRun): number {
  return firstRho(spec.rho);
}

/** ρ/‖x₀‖ of the runs with a radius, where it is known: it depends on the seed. */
export const relativeAt = (runs: readonly FigureRun[], rho: number) =>
  runs.filter((run) => radius(run) === rho).map(({ result }) => result.relativeRho);

/** At most `count` of the rows, evenly spread, the first and the last among them. */
export function thinned<Row>(rows: readonly Row[], count: number): readonly Row[] {
  if (rows.length <= count) return rows;
  return Array.from(
    { length: count },
    (_, i) => rows[Math.round((i * (rows.length - 1)) / (count - 1))] as Row,
  );
}

/**
 * A run of one's own, as figures read it.
 *
 * @throws {InputError} when it took no steps.
 * @example
 * const figure = lossFigure([figureRun({ method: "sam", rho: 0.05 }, await training.run({ steps }))]);
 */
export function figureRun(
  {
    method,
    rho,
    seed = 0,
  }: { method: string; rho?: number | undefined; seed?: number | undefined },
  { step, history, verdict, scores }: Pick<TrainingRun, "step" | "history" | "verdict" | "scores">,
): FigureRun {
  const [before] = history.slice(-1);
  if (before === undefined) {
    throw new InputError("invalid run: it took no steps, so there is nothing to draw (give steps)");
  }
  const { train, test } = scores.at(-1) ?? {};
  const final = finalOf({ ...before, step }, train?.score ?? null, test?.score ?? null);
  return {
    result: { spec: { method, rho, seed, switch: undefined }, verdict, final },
    rows: history,
  };
}
