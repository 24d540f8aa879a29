/** The bank: runs that the screen is judged on, with labels that do not use its signals. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import {
  createScreen,
  screenTolerances,
  type Screen,
  type ScreenTolerances,
} from "../../src/diagnostics/screen/screen.ts";
import { assess, warn, type Assessment } from "../../src/diagnostics/screen/rules.ts";
import { Signals, type StepSignals } from "../../src/diagnostics/screen/signals.ts";

/** What runs.py and collect.ts write of a run. */
export interface BankRun {
  readonly family: string;
  readonly rho: number;
  readonly seed: string;
  /** Norm of the initial parameters: ρ is as large as it is beside it. */
  readonly x0: number;
  readonly steps: number;
  /** Whether rows were taken on one fixed set of samples; else on each step's mini-batch. */
  readonly probe: boolean;
  /** Loss of the best constant answer. */
  readonly guess: number;
  /** Descent steps of the counterfactual; 0 where rows have none. */
  readonly k: number;
  /** Full-batch loss at the start, at the end (`null`: not finite), after half as many steps again. */
  readonly start: number;
  readonly end: number | null;
  /** `null` where the run was not continued. */
  readonly later: number | null;
  /** The same of the run's twin without SAM: its start, batches and optimizer. */
  readonly twinEnd: number | null;
  readonly twinLater: number | null;
  /** step, loss, shiftedLoss, gradNorm, shiftedGradNorm, cosine, and descentLoss where it was taken. */
  readonly rows: readonly (readonly (number | null)[])[];
}

/** All runs of the bank. */
export const readBank = (): BankRun[] =>
  gunzipSync(readFileSync(new URL("histories.jsonl.gz", import.meta.url)))
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as BankRun);

/**
 * `stalled`: of the fall from the start, or from a constant answer, to where descent ends with the
 * same steps, SAM made less than half, and half as many steps again took less than a twentieth off
 * the loss. Of a run that was not continued: less than a tenth of the fall. `trained`: it made nine
 * tenths, then and later. `between`: anything else, such as runs that come down slowly, or rest
 * partway. `diverged`: it ended in numbers that are not finite, or at more than ten
 * times the loss of the start.
 */
export type Label = "stalled" | "trained" | "between" | "diverged";

export function labelOf({ start, guess, end, later, twinEnd, twinLater }: BankRun): Label {
  const top = Math.min(start, guess);
  if (end === null || twinEnd === null || end > 10 * start) return "diverged";
  const made = (top - end) / (top - twinEnd);
  if (later === null || twinLater === null)
    return made >= 0.9 ? "trained" : made < 0.1 ? "stalled" : "between";
  const madeLater = (top - later) / (top - twinLater);
  if (made >= 0.9 && madeLater >= 0.9) return "trained";
  const isStalled = made < 0.5 && end - later < 0.05 * Math.abs(end);
  return isStalled ? "stalled" : "between";
}

export interface JudgeOptions {
  /** Give the screen the loss of a constant answer. */
  readonly withGuess?: boolean;
  /** Give it what the counterfactual saw. */
  readonly withDescent?: boolean;
  readonly tolerances?: ScreenTolerances | undefined;
}

const columns = ["loss", "shiftedLoss", "gradNorm", "shiftedGradNorm", "cosine"] as const;

/** A screen that has seen a run. */
export function screened(run: BankRun, options: JudgeOptions = {}): Screen {
  const { withGuess = false, withDescent = false, tolerances } = options;
  const { rows } = run;
  const screen = createScreen({
    dtype: "float32",
    engine: "PyTorch",
    evidence: run.probe ? "probe" : "batch",
    guessLoss: withGuess ? run.guess : undefined,
    tolerances,
  });
  const column = (i: number) => rows.map((row) => row[i] ?? NaN);
  screen.push({
    ...Object.fromEntries(columns.map((name, i) => [name, column(i + 1)])),
    first: 0,
    count: rows.length,
    step: column(0),
    descentLoss: withDescent ? column(6) : undefined,
  });
  return screen;
}

/** What the screen's rules look at, each time they look. One is to be used before the next is asked for. */
export function* assessments(
  { rows, probe }: BankRun,
  { withDescent = false }: Pick<JudgeOptions, "withDescent"> = {},
): Generator<Assessment> {
  const signals = new Signals();
  for (const [step, ...numbers] of rows) {
    const [loss, shiftedLoss, gradNorm, shiftedGradNorm, cosine, descent] = numbers.map(
      (x) => x ?? NaN,
    );
    const descentLoss = withDescent ? descent : undefined;
    const row = { loss, shiftedLoss, gradNorm, shiftedGradNorm, cosine, descentLoss };
    if (!signals.push(step ?? NaN, row as StepSignals, true)) continue;
    yield assess(signals, {
      guessLoss: undefined,
      evidence: probe ? "probe" : "batch",
      counterfactual: withDescent,
    });
  }
}

/** The step of a run's warning with each of several tolerances: `screened` for all of them at once. */
export function warnedSteps(
  run: BankRun,
  tolerances: readonly ScreenTolerances[],
): readonly (number | undefined)[] {
  const found: (number | undefined)[] = tolerances.map(() => undefined);
  for (const assessed of assessments(run)) {
    for (const [i, each] of tolerances.entries()) found[i] ??= warn(assessed, each)?.step;
  }
  return found;
}

/** Whether a warning may be given now, if its evidence has held without a break since a horizon. */
export type Wait = (found: Assessment, since: number) => boolean;

/** Warnings as they would be if they did not wait. */
const hasty: ScreenTolerances = { ...screenTolerances, excluded: Infinity, quickening: Infinity };

/** The step of a run's warning if it waits, for each of several ways to wait. */
export function waitingSteps(
  run: BankRun,
  waits: readonly Wait[],
): readonly (number | undefined)[] {
  const steps: (number | undefined)[] = waits.map(() => undefined);
  let since: number | undefined;
  for (const found of assessments(run)) {
    const warning = warn(found, hasty);
    since = warning && (since ?? found.horizon);
    if (warning === undefined || since === undefined) continue;
    for (const [i, may] of waits.entries()) {
      if (steps[i] === undefined && may(found, since)) steps[i] = warning.step;
    }
  }
  return steps;
}

/** Whether what descent in a copy did speaks against a warning. */
export type Contradiction = (found: Assessment, run: BankRun) => boolean;

/** The step of a run's warning if it asks what descent does, and is silent where that contradicts it. */
export function contradictedSteps(
  run: BankRun,
  contradictions: readonly Contradiction[],
): readonly (number | undefined)[] {
  const steps: (number | undefined)[] = contradictions.map(() => undefined);
  for (const found of assessments(run, { withDescent: true })) {
    const warning = warn(found, screenTolerances);
    if (warning === undefined) continue;
    for (const [i, speaksAgainst] of contradictions.entries()) {
      if (steps[i] === undefined && !speaksAgainst(found, run)) steps[i] = warning.step;
    }
  }
  return steps;
}
