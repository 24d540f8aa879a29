/** Screening: a verdict from the optimizer's own evidence. Free, early, and possibly wrong. */
import type { FloatType } from "../../problems/problem.ts";
import { verdicts, type Verdict } from "../verdict.ts";
import { assess, judge, numbersOf, warn, type Reference } from "./rules.ts";
import { screenTolerances, type ScreenTolerances } from "./tolerances.ts";
import {
  neededColumns,
  Signals,
  type SignalColumns,
  type SignalState,
  type StepSignals,
} from "./signals.ts";

export { screenTolerances, type ScreenTolerances } from "./tolerances.ts";

/**
 * What rows were taken on: all samples (`full`), a fixed batch beside the steps' own (`probe`), or
 * each step's own mini-batch (`batch`), which says less: verdicts and warnings then begin by saying so.
 */
export type EvidenceKind = "full" | "probe" | "batch";

/** Something worth saying before the run is over. */
export interface Warning {
  /** Step at which the evidence first supported it. */
  readonly step: number;
  readonly kind: "hallucination-ahead" | "saddle-trap-ahead";
  readonly sentence: string;
}

/** Watches a run: feed it records, ask it any time. */
export interface Screen {
  /** Take in records; returns a warning when they are the first to support one. */
  push(records: SignalColumns): Warning | undefined;
  verdict(): Verdict;
  readonly warning: Warning | undefined;
  /** What it remembers, JSON-serializable: hand it to `createScreen` to continue. */
  state(): ScreenState;
}

/** What a screen remembers. */
export interface ScreenState {
  readonly signals: SignalState;
  readonly warning?: Warning | undefined;
  /** What verdicts have to mention about how the screen was kept. */
  readonly note?: string | undefined;
}

/** Of what run a screen is kept, and what is known beside its rows. */
export interface ScreenOptions {
  readonly dtype: FloatType;
  readonly engine: string;
  /** What rows were taken on; default `full`. */
  readonly evidence?: EvidenceKind | undefined;
  /**
   * Loss of the best constant answer, where labels are known: the entropy of the class frequencies,
   * or the variance of the targets. Default: the loss of the first row stands for it.
   */
  readonly guessLoss?: number | undefined;
  /**
   * Whether a counterfactual is asked from time to time (`descentLoss`): a warning then waits for the
   * next answer, and says what was measured. Default: no.
   */
  readonly counterfactual?: boolean | undefined;
  readonly tolerances?: ScreenTolerances | undefined;
  /** Continue from here. A state of an older form is not read: the screen starts anew and says so. */
  readonly from?: ScreenState | undefined;
}

/**
 * Start watching a run, or continue from a stored state.
 *
 * @example
 * const screen = createScreen({ dtype: "float32", engine: "native" });
 * screen.push({ first: 0, count: 1, loss: [2.3], shiftedLoss: [2.4], gradNorm: [1],
 *   shiftedGradNorm: [1.1], cosine: [0.9] });
 * screen.verdict().sentence;
 */
export function createScreen({
  dtype,
  engine,
  evidence = "full",
  guessLoss,
  counterfactual = false,
  tolerances = screenTolerances,
  from,
}: ScreenOptions): Screen {
  const isReadable = from === undefined || from.signals.version === 2;
  const signals = new Signals(isReadable ? from?.signals : undefined);
  const note = isReadable
    ? from?.note
    : "Earlier steps are not part of this: they were remembered in an older form.";
  const reference: Reference = { guessLoss, evidence, counterfactual };
  const onEvidence = (sentence: string) =>
    evidence === "batch" ? `As far as mini-batches show: ${sentence}` : sentence;
  let warning = from?.warning;
  return {
    get warning() {
      return warning;
    },
    push(records) {
      const known = warning;
      for (const name of neededColumns) if (records[name] === undefined) signals.lack(name);
      for (let i = 0; i < records.count; i++) {
        const taken = !((records.skipped?.[i] ?? 0) > 0);
        const isNew = signals.push(
          records.step?.[i] ?? records.first + i,
          rowAt(records, i),
          taken,
        );
        if (!isNew || warning !== undefined) continue;
        const given = warn(assess(signals, reference), tolerances);
        warning = given && { ...given, sentence: onEvidence(given.sentence) };
      }
      return known === undefined ? warning : undefined;
    },
    verdict() {
      const found = assess(signals, reference);
      const { name, says = verdicts[name], because } = judge(found, tolerances);
      const sentences = [says, because, ...(note === undefined ? [] : [note])];
      return {
        name,
        sentence: onEvidence(sentences.join(" ")),
        basis: "screen",
        numbers: numbersOf(found),
        tolerances: { ...tolerances },
        dtype,
        engine,
      };
    },
    state: () => ({
      signals: signals.state(),
      ...(warning && { warning }),
      ...(note !== undefined && { note }),
    }),
  };
}

function rowAt(records: SignalColumns, i: number): StepSignals {
  const at = (name: keyof StepSignals) => records[name]?.[i] ?? NaN;
  return {
    loss: at("loss"),
    shiftedLoss: at("shiftedLoss"),
    gradNorm: at("gradNorm"),
    shiftedGradNorm: at("shiftedGradNorm"),
    cosine: at("cosine"),
    directionNorm: at("directionNorm"),
    descentLoss: at("descentLoss"),
    probedLoss: at("probedLoss"),
  };
}
