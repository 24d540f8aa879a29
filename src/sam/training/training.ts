/** Compiled training: a problem and a method become one step, run as often as asked. */
import { compile, type EngineOptions } from "../../engine/index.ts";
import type { Program, ProgramRun } from "../../engine/program.ts";
import { sameTypes, tensor } from "../../engine/tensor.ts";
import type { Method } from "../contract/method.ts";
import { batchIndices, samplesPerStep } from "./batches.ts";
import { layOutKnobs } from "./knobs.ts";
import { toRecords, type Records } from "./records.ts";
import { initialCarry, type TrainingState } from "./state.ts";
import { drawsRandom, trainingInputs, trainingStep, type StepOptions } from "./step.ts";

/**
 * Steps whose knobs are laid out at once: bounds the memory of schedules and batch indices.
 *
 * @param samples of a step's batch, those of all runs that take it together.
 */
export const stepsPerSegment = (samples: number): number =>
  Math.max(1, Math.min(8192, Math.floor((1 << 22) / samples)));

/** What is compiled, and how: a method on a problem. */
export interface CompiledTrainingOptions extends StepOptions, EngineOptions {}

/** One run of a compiled training. */
export interface TrainOptions {
  /** Length of the whole run, which schedules refer to. */
  readonly steps: number;
  /** Seed of initial parameters, batches and random keys; default 0. */
  readonly seed?: number | undefined;
  /** Continue from here instead of from the seed's initial parameters. */
  readonly from?: TrainingState | undefined;
  /** Stop at this step, before the end of the run. */
  readonly until?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Knobs in place of the method's own, of the same structure: another ρ without recompiling. */
  readonly method?: Method | undefined;
  /** Awaited after every chunk of steps. */
  readonly onRecords?:
    ((records: Records, state: TrainingState) => void | Promise<void>) | undefined;
}

/**
 * A compiled training step. One program serves any number of runs that differ in seed, length and
 * knobs, one run at a time.
 */
export interface CompiledTraining {
  readonly program: Program;
  /** The state before the first step; default seed 0. */
  start(seed?: number): TrainingState;
  /** What `run` would hand to the program, for those who run it elsewhere. */
  feeds(options: Pick<TrainOptions, "steps" | "seed" | "from" | "until">): ProgramRun;
  /** Run, and return the state reached; fewer steps than asked only after `signal`. */
  run(options: TrainOptions): Promise<TrainingState>;
  /**
   * What the method sees at a state: the record of one more step, which is not taken. The state may
   * come from a training with another batch size; memory that depends on it then starts anew.
   */
  evidence(
    state: TrainingState,
    options: Pick<TrainOptions, "steps" | "seed" | "method">,
  ): Promise<Records>;
  /** Free what the program holds. A second call does nothing. */
  dispose(): Promise<void>;
}

/** What a program is given for `count` steps of a run from `state` on. */
export type LayOutRun = (
  tuned: Method,
  seed: number,
  steps: number,
  state: TrainingState,
  count: number,
) => ProgramRun;

/** The layout of runs of one training. */
export function layOutRuns({ problem, method, batchSize = "full" }: StepOptions): LayOutRun {
  const { size } = problem.train;
  const samples = samplesPerStep(problem, batchSize);
  const random = drawsRandom(problem, method);
  return (tuned, seed, steps, state, count) => {
    const layOut = <T>(at: (t: number) => T): T[] =>
      Array.from({ length: count }, (_, i) => at(state.step + i));
    return {
      carry: state.carry,
      inputs: trainingInputs(problem),
      knobs: {
        ...layOutKnobs(tuned, problem.dtype, state.step, count, steps),
        step: tensor(
          layOut((t) => t),
          [count],
          "int32",
        ),
        ...(samples < size && {
          indices: tensor(
            batchIndices(seed, size, samples, state.step, count),
            [count, samples],
            "int32",
          ),
        }),
        ...(random && { key: tensor(layOut((t) => [seed, t]).flat(), [count, 2], "uint32") }),
      },
      steps: count,
    };
  };
}

/**
 * Compile the training step of a method on a problem.
 *
 * @throws {InputError} when there are not as many samples as a batch has.
 * @example
 * const training = await compileTraining({ problem, method: sam({ rho: 0.05 }), batchSize: 128 });
 * const state = await training.run({ steps: 1000 });
 */
export async function compileTraining(options: CompiledTrainingOptions): Promise<CompiledTraining> {
  const { problem, method, batchSize = "full", engine, threads, provider, onFallback } = options;
  const program = await compile(trainingStep(options), { engine, threads, provider, onFallback });
  const samples = samplesPerStep(problem, batchSize);
  const start = (seed = 0): TrainingState => ({
    step: 0,
    carry: initialCarry(problem, method, samples, seed),
  });

  const feeds = layOutRuns(options);

  return {
    program,
    start,
    feeds: ({ steps, seed = 0, from = start(seed), until = steps }) =>
      feeds(method, seed, steps, from, until - from.step),
    async run({ steps, seed = 0, from, until = steps, signal, method: tuned = method, onRecords }) {
      let state = from ?? start(seed);
      const perSegment = stepsPerSegment(samples);
      while (state.step < Math.min(until, steps) && !signal?.aborted) {
        const first = state.step;
        const count = Math.min(perSegment, until - first);
        const result = await program.run({
          ...feeds(tuned, seed, steps, state, count),
          signal,
          async onChunk(chunk) {
            const step = first + chunk.step;
            await onRecords?.(toRecords(chunk.records, step), {
              step,
              carry: chunk.carry as TrainingState["carry"],
            });
          },
        });
        state = { step: first + result.steps, carry: result.carry as TrainingState["carry"] };
      }
      return state;
    },
    async evidence({ step, carry }, { steps, seed = 0, method: tuned = method }) {
      const fresh = start(seed).carry.memory;
      const memory = sameTypes(carry.memory, fresh) ? carry.memory : fresh;
      const state = { step, carry: { ...carry, memory } };
      // At its end a run's schedules have reached their last value, and one step more is asked.
      const { records } = await program.run(feeds(tuned, seed, steps + 1, state, 1));
      return toRecords(records, step + 1);
    },
    dispose: () => program.dispose(),
  };
}
