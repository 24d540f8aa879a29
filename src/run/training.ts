/**
 * Training as one uses it: a problem and a method, with screen, history, scores, and how to stop and
 * go on.
 */
import {
  createScreen,
  type EvidenceKind,
  type Screen,
  type ScreenState,
  type Warning,
} from "../diagnostics/screen/screen.ts";
import {
  prepareCounterfactual,
  type Counterfactual,
  type CounterfactualLook,
} from "../diagnostics/screen/counterfactual.ts";
import type { SignalColumns } from "../diagnostics/screen/signals.ts";
import type { Verdict } from "../diagnostics/verdict.ts";
import type { EngineOptions } from "../engine/index.ts";
import { checkNames, InputError, show } from "../engine/errors.ts";
import type { Program } from "../engine/program.ts";
import { checkProblem } from "../problems/check.ts";
import type { Model, Problem, Split } from "../problems/problem.ts";
import { gradientDescent } from "../sam/methods/sam.ts";
import type { Method, Outer } from "../sam/contract/method.ts";
import { isOuter } from "../sam/parts/outer.ts";
import { prepareEvaluation, type EvaluationResult } from "../sam/training/evaluation.ts";
import type { OpenEnsemble, Seat } from "../sam/training/ensemble.ts";
import type { Records } from "../sam/training/records.ts";
import { modelOf, type TrainingState } from "../sam/training/state.ts";
import {
  compileTraining,
  type CompiledTraining,
  type CompiledTrainingOptions,
  type TrainOptions,
} from "../sam/training/training.ts";
import {
  fullEvidence,
  prepareFullPass,
  samRadius,
  type FullPass,
} from "../sam/training/full-pass.ts";
import { blockOf } from "../sam/training/pass-memory.ts";
import { decodeCheckpoint, encodeCheckpoint, type Checkpoint } from "./checkpoint.ts";
import { openMembers, planMembers, type Alone } from "../sam/training/members.ts";
import { bestOf, type Scores } from "./scores.ts";
import { defaultStride, rowAt, thin, type MetricRow } from "./history.ts";

/** What is compiled, and how. */
export interface TrainingOptions extends Omit<CompiledTrainingOptions, "method"> {
  /** A method such as `sam({ rho: 0.05 })`, or an optimizer alone such as `adamW()`: plain descent with it. */
  readonly method: Method | Outer;
}

/** What a chunk of steps brought. */
export interface RunChunk {
  readonly checkpoint: Checkpoint;
  /** Rows to keep: those of every `recordEvery`-th step. */
  readonly rows: readonly MetricRow[];
  /** The last step of the chunk. */
  readonly latest: MetricRow;
  /** Given once, in the chunk that first supports it. */
  readonly warning?: Warning | undefined;
}

/** A model as it was scored. */
export interface ScoredModel {
  readonly model: Model;
  /** Whether no earlier one of the run was better, see `bestOf`. */
  readonly isBest: boolean;
}

/** One run. */
export interface RunTrainingOptions extends Omit<TrainOptions, "from" | "method"> {
  /** Continue from a checkpoint, or, with a screen and a count of evaluations that begin anew, from a state. */
  readonly from?: Checkpoint | TrainingState | undefined;
  /** Knobs in place of the method's own, of the same structure: another ρ without recompiling. */
  readonly method?: Method | Outer | undefined;
  /** Keep a row of the history of every so many steps; default: the smallest power of two that keeps at most 1000. */
  readonly recordEvery?: number | undefined;
  /** Evaluate the model on all training and test samples after every so many steps and at the end; default never. */
  readonly evaluateEvery?: number | undefined;
  /**
   * Ask after every so many steps what plain descent with the same optimizer would do in a copy, on
   * all training samples: `steps` gradients each time, and one more (default 8 steps). The screen
   * then says what was measured. Default: never.
   */
  readonly counterfactual?:
    { readonly every: number; readonly steps?: number | undefined } | undefined;
  /**
   * Every so many steps take both gradients over all training samples, block by block, and let the
   * screen judge the run by these instead of its steps' own batches: two full gradients each time.
   * Normalization layers use their running statistics. For SAM and plain descent. Default: never.
   */
  readonly probeEvery?: number | undefined;
  /** Take the steps beside other runs: a seat of {@link Training.ensemble}. Default: alone. */
  readonly seat?: Seat | undefined;
  /** Awaited after every evaluation. */
  readonly onScores?: ((scores: Scores, scored: ScoredModel) => void | Promise<void>) | undefined;
  /** Told, once, when the evidence first supports a warning. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
  /** Awaited after every chunk of steps. */
  readonly onChunk?: ((chunk: RunChunk) => void | Promise<void>) | undefined;
}

/** Where a run stands, and what is known of it. */
export interface TrainingRun extends TrainingState {
  /** What was trained. */
  readonly model: Model;
  /** What to hand to {@link saveState}, or to `run` as `from`. */
  readonly checkpoint: Checkpoint;
  /** What the optimizer saw, every `recordEvery` steps since this run began or was continued. */
  readonly history: readonly MetricRow[];
  /** All of the run, those before it was continued from a checkpoint too. */
  readonly scores: readonly Scores[];
  /** The best of them; absent where there were none. */
  readonly best?: Scores | undefined;
  /** Its model, unless it came before the checkpoint that the run was continued from. */
  readonly bestModel?: Model | undefined;
  /** The screen's verdict on the run so far. */
  readonly verdict: Verdict;
  readonly warning: Warning | undefined;
}

/** A problem and a method, compiled: any number of runs, one at a time. */
export interface Training {
  readonly problem: Problem;
  readonly program: Program;
  /** The state before the first step; default seed 0. */
  start(seed?: number): TrainingState;
  /**
   * Train, and return where the run stands; fewer steps than asked only after `signal`.
   *
   * @throws {InputError} when the number of steps is missing or invalid, or the training was disposed.
   */
  run(options: RunTrainingOptions): Promise<TrainingRun>;
  /** How good a model is on samples, by default those of the test: loss, and score where the problem has one. */
  evaluate(model: Model | TrainingState, split?: Split): Promise<EvaluationResult>;
  /** A screen for records of this training; every run has one of its own already. */
  screen(from?: ScreenState): Screen;
  /** See `CompiledTraining.evidence`. */
  evidence: CompiledTraining["evidence"];
  /**
   * What SAM sees at a state on all training samples, block by block in bounded memory, with running
   * statistics held: a row as the history has them.
   *
   * @throws {InputError} for methods that look elsewhere than SAM.
   */
  probe(
    state: TrainingState,
    options: { readonly steps: number; readonly method?: Method | Outer | undefined },
  ): Promise<MetricRow>;
  /** What runs would gain in an ensemble of so many, or why they had better be taken alone. */
  planEnsemble(members: number): Promise<{ readonly gain: number } | Alone>;
  /**
   * A program that takes the steps of several runs side by side, every run with the numbers it has
   * alone; or why there is none. Whoever asks for it disposes it.
   */
  ensemble(members: number): Promise<OpenEnsemble | Alone>;
  /** Free what the compiled programs hold. A second call does nothing. */
  dispose(): Promise<void>;
}

/**
 * Compile the training of a problem with a method or an optimizer.
 *
 * @throws {InputError} when the problem, its samples or what its forward pass returns are not in order.
 * @example
 * const training = await prepareTraining({ problem, method: sam({ rho: 0.05 }), batchSize: 128 });
 * const { model, verdict } = await training.run({ steps: 1000 });
 * console.log((await training.evaluate(model)).score, verdict.sentence);
 */
export async function prepareTraining(given: TrainingOptions): Promise<Training> {
  checkNames("option", given, preparationNames);
  const { method, ...options } = given;
  const { problem } = options;
  if (typeof problem !== "object" || problem === null) {
    throw new InputError(
      "missing problem: give one such as mlp({ train }) or defineProblem({ … })",
    );
  }
  checkProblem(problem);
  const stepOptions = { ...options, method: asMethod(method) };
  const compiled = await compileTraining(stepOptions);
  const { program } = compiled;
  const evaluation = prepareEvaluation(problem, engineOf(options));
  /** What a counterfactual is asked with, compiled when the first run asks. */
  const probes = new Map<number, Promise<Counterfactual>>();
  const probeOf = (steps: number) => {
    const known =
      probes.get(steps) ??
      prepareCounterfactual({
        problem,
        outer: asMethod(method).outer,
        steps,
        ...engineOf(options),
      });
    probes.set(steps, known);
    return known;
  };
  /** Plans of ensembles by their members: tracing a large step takes seconds. */
  const plans = new Map<number, ReturnType<typeof planMembers>>();
  const planOf = (members: number) => {
    const known = plans.get(members) ?? planMembers(compiled, stepOptions, members);
    plans.set(members, known);
    return known;
  };
  let isDisposed = false;
  const alive = () => {
    if (isDisposed) {
      throw new InputError("invalid run: this training was disposed (prepare it again)");
    }
  };
  const { batchSize = "full" } = options;
  let full: Promise<FullPass> | undefined;
  const passes = () => (full ??= openFullPass(problem, engineOf(options)));
  const ownEvidence = batchSize === "full" || batchSize === problem.train.size ? "full" : "batch";
  const screen = (
    from?: ScreenState,
    counterfactual = false,
    evidence: EvidenceKind = ownEvidence,
  ) =>
    createScreen({
      dtype: problem.dtype,
      engine: program.engine,
      evidence,
      guessLoss: problem.guessLoss,
      counterfactual,
      from,
    });

  return {
    problem,
    program,
    start: (seed) => compiled.start(seed),
    screen: (from) => screen(from),
    evidence: (state, given) => compiled.evidence(state, given),
    async probe(state, { steps, method: tuned = asMethod(method) }) {
      alive();
      return probeAt(await passes(), state, asMethod(tuned), steps);
    },
    evaluate(of, split = problem.test ?? problem.train) {
      alive();
      return evaluation.evaluate("carry" in of ? modelOf(of) : of, split);
    },
    async run(given) {
      alive();
      checkNames("option", given, runNames);
      const { evaluateEvery, recordEvery, probeEvery, counterfactual, from, seat, ...others } =
        given;
      const { method: tuned, onRecords, ...options } = others;
      const { every: askEvery, steps: askSteps = 8 } = counterfactual ?? {};
      const { steps, seed, until = steps, onScores, onWarning, onChunk, signal } = options;
      checkSteps({
        steps,
        until,
        evaluateEvery,
        recordEvery,
        probeEvery,
        counterfactualEvery: askEvery,
      });
      checkSeed(seed);
      let checkpoint = asCheckpoint(from ?? compiled.start(seed), screen);
      const watch = screen(
        checkpoint.screen,
        askEvery !== undefined,
        probeEvery ? "probe" : ownEvidence,
      );
      const history: MetricRow[] = [];
      let bestModel: Model | undefined;
      let began = performance.now();
      const take = (records: SignalColumns) => {
        const warning = watch.push(records);
        if (warning) onWarning?.(warning);
        return warning;
      };
      const evaluate = async () => {
        const { step } = checkpoint.state;
        const isDue = step % (evaluateEvery ?? 1) === 0 || step === until;
        const earlier = checkpoint.scores ?? [];
        if (!evaluateEvery || !isDue || step === 0 || signal?.aborted) return;
        // A run that was saved between a step and its evaluation is continued with the evaluation.
        if (earlier.at(-1)?.step === step) return;
        const model = modelOf(checkpoint.state);
        const train = await evaluation.evaluate(model, problem.train);
        const test = problem.test && (await evaluation.evaluate(model, problem.test));
        const now: Scores = { step, train, test };
        const scores = [...earlier, now];
        checkpoint = { ...checkpoint, scores };
        const isBest = bestOf(scores) === now;
        if (isBest) bestModel = model;
        await onScores?.(now, { model, isBest });
        began = performance.now();
      };
      await evaluate();
      while (checkpoint.state.step < until && !signal?.aborted) {
        const { step } = checkpoint.state;
        const after = (every: number | undefined) =>
          every ? step - (step % every) + every : until;
        const now = asMethod(tuned ?? method);
        const asked =
          askEvery && step % askEvery === 0
            ? await (
                await probeOf(askSteps)
              ).look(checkpoint.state, { seed, length: steps, outer: tuned && now.outer })
            : undefined;
        let probed: Warning | undefined;
        if (probeEvery && step % probeEvery === 0) {
          const row = await probeAt(await passes(), checkpoint.state, now, steps);
          probed = take(asked ? { ...columnsOf(row), ...lookColumns(asked) } : columnsOf(row));
        }
        const next = Math.min(after(evaluateEvery), after(askEvery), after(probeEvery));
        await (seat ?? compiled).run({
          steps,
          seed,
          until: Math.min(next, until),
          from: checkpoint.state,
          method: tuned && now,
          signal,
          async onRecords(records: Records, state) {
            const warning = probeEvery ? probed : take(asked ? withLook(records, asked) : records);
            probed = undefined;
            const rows = thin(records, recordEvery ?? defaultStride(steps));
            for (const row of rows) history.push(row);
            checkpoint = {
              ...checkpoint,
              state,
              screen: watch.state(),
              evaluations: sumFrom(checkpoint.evaluations, records.evaluations),
              seconds: checkpoint.seconds + (performance.now() - began) / 1000,
            };
            await onRecords?.(records, state);
            const latest = rowAt(records, records.count - 1);
            await onChunk?.({ checkpoint, rows, latest, warning });
            began = performance.now();
          },
        });
        await evaluate();
      }
      const { scores = [] } = checkpoint;
      return {
        ...checkpoint.state,
        model: modelOf(checkpoint.state),
        checkpoint,
        history,
        scores,
        best: bestOf(scores),
        bestModel,
        verdict: watch.verdict(),
        warning: watch.warning,
      };
    },
    planEnsemble: (members) => planOf(members),
    ensemble: async (members) => openMembers(await planOf(members), compiled, stepOptions),
    async dispose() {
      isDisposed = true;
      await compiled.dispose();
      await evaluation.dispose();
      await (await full)?.dispose();
      for (const probe of probes.values()) await (await probe).dispose();
    },
  };
}

/** Where a run stands, as the bytes of a safetensors file. */
export function saveState({
  checkpoint,
}: Pick<TrainingRun, "checkpoint">): Uint8Array<ArrayBuffer> {
  return encodeCheckpoint(checkpoint, 0);
}

/**
 * What {@link saveState} kept, for `run({ from })`: the run goes on bit for bit.
 *
 * @param name what errors call the bytes; default `state`.
 * @throws {InputError} when the bytes are no state, or one of another problem or method.
 */
export function loadState(bytes: Uint8Array, training: Training, name = "state"): Checkpoint {
  return decodeCheckpoint(bytes, name).restore(training.start());
}

/** Passes over all training samples, in blocks where memory asks for them. */
async function openFullPass(problem: Problem, engine: EngineOptions): Promise<FullPass> {
  const block = (await blockOf(problem)) ?? problem.train.size;
  return prepareFullPass(problem, { ...engine, block });
}

/** What SAM sees at a state of a method's run, as a row. */
async function probeAt(
  full: FullPass,
  state: TrainingState,
  method: Method,
  steps: number,
): Promise<MetricRow> {
  const rho = samRadius(method, Math.min(state.step, steps - 1), steps);
  if (rho === undefined) {
    throw new InputError(
      `invalid probe: ${method.name}${method.grouped ? " with groups" : ""} does not look where SAM does (leave probes out, or train with sam or gd)`,
    );
  }
  return { step: state.step, ...(await fullEvidence(full, modelOf(state), rho)) };
}

/** A row as columns. */
function columnsOf(row: MetricRow): SignalColumns {
  const { step, loss, shiftedLoss, gradNorm, shiftedGradNorm, cosine } = row;
  return {
    first: step,
    count: 1,
    loss: [loss],
    shiftedLoss: [shiftedLoss],
    gradNorm: [gradNorm],
    shiftedGradNorm: [shiftedGradNorm],
    cosine: [cosine],
  };
}

/** What a counterfactual saw, beside the row of its step. */
const lookColumns = ({ loss, descentLoss }: CounterfactualLook) => ({
  descentLoss: [descentLoss],
  probedLoss: [loss],
});

/** Records with what a counterfactual saw at one of their steps. */
function withLook(
  records: Records,
  { step, loss, descentLoss }: CounterfactualLook,
): SignalColumns {
  const column = (value: number) =>
    Array.from({ length: records.count }, (_, i) => (records.first + i === step ? value : NaN));
  return { ...records, descentLoss: column(descentLoss), probedLoss: column(loss) };
}

/** Where programs run. */
const engineOf = ({ engine, threads, provider, onFallback }: EngineOptions): EngineOptions => ({
  engine,
  threads,
  provider,
  onFallback,
});

/** An optimizer alone is plain descent with it. */
function asMethod(given: Method | Outer): Method {
  if (isOuter(given)) return gradientDescent({ outer: given });
  if (typeof given === "object" && given !== null && "step" in given) return given;
  const what = given === undefined ? "missing" : "invalid";
  throw new InputError(`${what} method: give one such as sam({ rho: 0.05 }), or an optimizer`);
}

function asCheckpoint(from: Checkpoint | TrainingState, screen: () => Screen): Checkpoint {
  if (typeof from !== "object" || !("state" in from || "carry" in from)) {
    throw new InputError(
      `invalid from: ${show(from)} (give a checkpoint, such as loadState makes)`,
    );
  }
  if ("state" in from) return from;
  const { step, carry } = from;
  return { state: { step, carry }, screen: screen().state(), evaluations: 0, seconds: 0 };
}

function checkSteps({ steps, ...others }: { readonly [name: string]: number | undefined }): void {
  if (steps === undefined) throw new InputError("missing steps: give the length of the run");
  for (const [name, value] of Object.entries({ steps, ...others })) {
    if (value === undefined || (Number.isInteger(value) && value >= (name === "steps" ? 0 : 1))) {
      continue;
    }
    const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    throw new InputError(`invalid ${words}: ${value} (give a whole number, 1 or more)`);
  }
}

function checkSeed(seed = 0): void {
  if (Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32) return;
  throw new InputError(`invalid seed: ${show(seed)} (give a whole number from 0 to 4294967295)`);
}

const preparationNames: readonly (keyof TrainingOptions)[] = [
  "problem",
  "method",
  "batchSize",
  "recordPoints",
  "engine",
  "threads",
  "provider",
  "onFallback",
];
const runNames: readonly (keyof RunTrainingOptions)[] = [
  "steps",
  "seed",
  "from",
  "until",
  "signal",
  "method",
  "recordEvery",
  "evaluateEvery",
  "probeEvery",
  "counterfactual",
  "seat",
  "onRecords",
  "onScores",
  "onWarning",
  "onChunk",
];

/** Added one by one, so that the sum does not depend on how steps were cut into chunks. */
function sumFrom(start: number, values: Iterable<number>): number {
  let sum = start;
  for (const value of values) sum += value;
  return sum;
}
