/** Training: a problem and a method become one compiled step, run as often as asked. */
import { np } from "../../engine/jax-js.ts";
import { add, leaves, mapTrees, scalar, selectTree } from "../../engine/arrays.ts";
import { compile, type EngineOptions } from "../../engine/index.ts";
import type { ArrayTree, Program, RunOptions, StepDefinition } from "../../engine/program.ts";
import { randomStream } from "../../engine/random.ts";
import {
  leavesWithPaths,
  scalarTensor,
  tensor,
  typesOf,
  type Tensor,
  type TensorData,
  type TensorType,
  type Tree,
} from "../../engine/tensor.ts";
import type { Problem } from "../../problems/problem.ts";
import type { Knobs, Method, ProblemSize, StepTime } from "../contract/method.ts";
import type { Schedule } from "../../settings/schedules.ts";
import { objectiveOf } from "../contract/objective.ts";
import { valueAt } from "../../settings/schedules.ts";

/** Steps whose knobs are laid out at once: bounds the memory of schedules and batch indices. */
const segmentSteps = 8192;
const segmentIndices = 1 << 22;

/** Where a run stands: all that a resumed run needs to continue bit for bit. */
export interface TrainingState {
  /** Steps taken. */
  readonly step: number;
  /** `{ params, memory, outer, statistics }`. */
  readonly carry: {
    params: Tree<Tensor>;
    memory: Tree<Tensor>;
    outer: Tree<Tensor>;
    statistics: Tree<Tensor>;
  };
}

/** What the optimizer reported, one entry per step. */
export interface Records {
  /** Index of the first step: entry i is what was seen before update `first + i`. */
  readonly first: number;
  /** Number of steps. */
  readonly count: number;
  readonly loss: TensorData;
  readonly shiftedLoss: TensorData;
  readonly gradNorm: TensorData;
  readonly shiftedGradNorm: TensorData;
  readonly cosine: TensorData;
  /** Gradient evaluations spent in the step. */
  readonly evaluations: TensorData;
  /** 1 where a number was not finite and the step was not taken: the whole state stays as it was. */
  readonly skipped: TensorData;
  /** Scalars particular to the method. */
  readonly details: { readonly [name: string]: TensorData };
  /** x and x⁺ per step, [count, …] per leaf, when points are recorded. */
  readonly point?: Tree<Tensor>;
  readonly ascentPoint?: Tree<Tensor>;
}

/** What is compiled: a method on a problem. */
export interface TrainingOptions extends EngineOptions {
  readonly problem: Problem;
  readonly method: Method;
  /** Samples per step, or `full` (default). The last, incomplete batch of an epoch is dropped. */
  readonly batchSize?: number | "full";
  /** Record x and x⁺ of every step; meant for planes. Default false. */
  readonly recordPoints?: boolean;
}

/** One run of a compiled training. */
export interface TrainOptions {
  /** Length of the whole run, which schedules refer to. */
  readonly steps: number;
  /** Seed of initial parameters, batches and random keys; default 0. */
  readonly seed?: number;
  /** Continue from here instead of from the seed's initial parameters. */
  readonly from?: TrainingState;
  /** Stop at this step, before the end of the run. */
  readonly until?: number;
  readonly signal?: AbortSignal;
  /** Knobs in place of the method's own, of the same structure: another ρ without recompiling. */
  readonly method?: Method;
  /** Awaited after every chunk of steps. */
  readonly onRecords?: (records: Records, state: TrainingState) => void | Promise<void>;
}

/** A compiled training step. */
export interface Training {
  readonly program: Program;
  /** The state before the first step. */
  start(seed?: number): TrainingState;
  /** What `run` would hand to the program, for those who run it elsewhere. */
  feeds(options: Pick<TrainOptions, "steps" | "seed" | "from" | "until">): RunOptions;
  /** Run, and return the state reached; fewer steps than asked only after `signal`. */
  run(options: TrainOptions): Promise<TrainingState>;
  dispose(): Promise<void>;
}

/** The step that `prepareTraining` compiles, with the types it expects. */
export function trainingStep({
  problem,
  method,
  batchSize = "full",
  recordPoints = false,
}: TrainingOptions): StepDefinition {
  const { batch, size } = problem.train;
  const samples = batchSize === "full" ? size : batchSize;
  if (!Number.isInteger(samples) || samples < 1 || samples > size) {
    throw new RangeError(
      `invalid batch: ${batchSize} (give "full" or a whole number from 1 to ${size})`,
    );
  }
  const random = (method.random || problem.random) ?? false;

  interface Carry {
    readonly params: ArrayTree;
    readonly memory: ArrayTree;
    readonly outer: ArrayTree;
    readonly statistics: ArrayTree;
  }
  interface StepKnobs {
    readonly method: { readonly [name: string]: ArrayTree };
    readonly outer: { readonly [name: string]: ArrayTree };
    readonly step: np.Array;
    readonly rows?: np.Array;
    readonly key?: np.Array;
  }
  return {
    carry: typesOf(initialCarry(problem, method, samples, 0)),
    inputs: typesOf(batch),
    knobs: {
      ...knobTypes(method, problem.dtype),
      step: { dtype: "int32", shape: [] },
      ...(samples < size && { rows: { dtype: "int32", shape: [samples] } }),
      ...(random && { key: { dtype: "uint32", shape: [2] } }),
    },
    step(carryTree, inputs, knobTree) {
      const carry = carryTree as unknown as Carry;
      const knobs = knobTree as unknown as StepKnobs;
      const { params, memory, outer, statistics } = carry;
      const rows = knobs.rows;
      const stepBatch =
        rows === undefined ? inputs : mapTrees((leaf) => np.take(leaf.ref, rows.ref, 0), inputs);
      const time: StepTime = { step: knobs.step, ...(knobs.key && { key: knobs.key }) };
      const objective = objectiveOf(
        problem,
        stepBatch,
        {
          mode: "train",
          ...(knobs.key && { key: knobs.key }),
          ...(problem.initStatistics && { statistics }),
        },
        rows && { all: inputs, rows },
      );
      const result = method.step({
        objective,
        params,
        memory,
        outerState: outer,
        knobs: { ...knobs.method, outer: knobs.outer },
        time,
      });
      const { evidence } = result;
      // A sum is finite only if every term is: one test for all passes and what came of them.
      const terms = [
        evidence.loss,
        evidence.shiftedLoss,
        evidence.gradNorm,
        evidence.shiftedGradNorm,
        ...leaves(result.params).map((leaf) => np.sum(leaf.ref)),
      ];
      const finite = np.isfinite(terms.reduce(add));
      const next: ArrayTree = {
        params: result.params,
        memory: result.memory,
        outer: result.outerState,
        statistics: objective.statistics ?? statistics,
      };
      const floating = (value: number | np.Array) =>
        typeof value === "number" ? scalar(value, evidence.loss) : value;
      return {
        carry: selectTree(finite, next, { params, memory, outer, statistics }),
        record: {
          loss: evidence.loss,
          shiftedLoss: evidence.shiftedLoss,
          gradNorm: evidence.gradNorm,
          shiftedGradNorm: evidence.shiftedGradNorm,
          cosine: evidence.cosine,
          evaluations: floating(objective.evaluations),
          skipped: np.where(finite.ref, scalar(0, evidence.loss), scalar(1, evidence.loss)),
          details: { ...evidence.details },
          ...(recordPoints && {
            point: params,
            ascentPoint: evidence.ascentPoint,
          }),
        },
      };
    },
  };
}

/** Compile the training step of a method on a problem. */
export async function prepareTraining(options: TrainingOptions): Promise<Training> {
  const { problem, method, batchSize = "full", engine, threads, provider, onFallback } = options;
  const program = await compile(trainingStep(options), {
    ...(engine && { engine }),
    ...(threads !== undefined && { threads }),
    ...(provider && { provider }),
    ...(onFallback && { onFallback }),
  });
  const { batch, size } = problem.train;
  const samples = batchSize === "full" ? size : batchSize;
  const random = (method.random || problem.random) ?? false;
  const start = (seed = 0): TrainingState => ({
    step: 0,
    carry: initialCarry(problem, method, samples, seed),
  });

  /** What `count` steps from `state` on are run with. */
  const feeds = (
    tuned: Method,
    seed: number,
    steps: number,
    state: TrainingState,
    count: number,
  ) => {
    const layOut = <T>(at: (t: number) => T): T[] =>
      Array.from({ length: count }, (_, i) => at(state.step + i));
    return {
      carry: state.carry,
      inputs: batch,
      knobs: {
        ...layOutKnobs(tuned, problem.dtype, state.step, count, steps),
        step: tensor(
          layOut((t) => t),
          [count],
          "int32",
        ),
        ...(samples < size && {
          rows: tensor(
            batchRows(seed, size, samples, state.step, count),
            [count, samples],
            "int32",
          ),
        }),
        ...(random && { key: tensor(layOut((t) => [seed, t]).flat(), [count, 2], "uint32") }),
      },
      steps: count,
    };
  };

  return {
    program,
    start,
    feeds: ({ steps, seed = 0, from = start(seed), until = steps }) =>
      feeds(method, seed, steps, from, until - from.step),
    async run({ steps, seed = 0, from, until = steps, signal, method: tuned = method, onRecords }) {
      let state = from ?? start(seed);
      const perSegment = Math.max(1, Math.min(segmentSteps, Math.floor(segmentIndices / samples)));
      while (state.step < Math.min(until, steps) && !signal?.aborted) {
        const first = state.step;
        const count = Math.min(perSegment, until - first);
        const result = await program.run({
          ...feeds(tuned, seed, steps, state, count),
          ...(signal && { signal }),
          async onChunk(chunk) {
            const reached = {
              step: first + chunk.step,
              carry: chunk.carry as TrainingState["carry"],
            };
            const records = chunk.records as { [name: string]: Tree<Tensor> };
            const seen = (records["loss"] as Tensor).data.length;
            await onRecords?.(toRecords(records, reached.step - seen, seen), reached);
          },
        });
        state = { step: first + result.steps, carry: result.carry as TrainingState["carry"] };
      }
      return state;
    },
    dispose: () => program.dispose(),
  };
}

function initialCarry(
  problem: Problem,
  method: Method,
  samples: number,
  seed: number,
): TrainingState["carry"] {
  const params = problem.init(seed);
  const size: ProblemSize = {
    samples: problem.train.size,
    batch: samples,
    ...(problem.outputs !== undefined && { outputs: problem.outputs }),
  };
  return {
    params,
    memory: method.init(params, size),
    outer: method.outer.init(params),
    statistics: problem.initStatistics?.() ?? {},
  };
}

/** A knob's dtype is the parameters': in float64 nothing passes through float32. */
function knobTypes(method: Method, dtype: "float32" | "float64") {
  const types = (knobs: Knobs): Tree<TensorType> =>
    Object.fromEntries(
      Object.entries(knobs).map(([name, knob]) => [
        name,
        isSchedule(knob) ? { dtype, shape: [] } : types(knob),
      ]),
    );
  return { method: types(method.knobs), outer: types(method.outer.knobs) };
}

/** Knob values for steps `first` … `first + count − 1`; constants are held, not repeated. */
function layOutKnobs(
  method: Method,
  dtype: "float32" | "float64",
  first: number,
  count: number,
  steps: number,
) {
  const values = (knobs: Knobs): Tree<Tensor> =>
    Object.fromEntries(
      Object.entries(knobs).map(([name, knob]) => {
        if (!isSchedule(knob)) return [name, values(knob)];
        if (typeof knob === "number") return [name, scalarTensor(knob, dtype)];
        const each = Array.from({ length: count }, (_, i) => valueAt(knob, first + i, steps));
        return [name, tensor(each, [count], dtype)];
      }),
    );
  return { method: values(method.knobs), outer: values(method.outer.knobs) };
}

const isSchedule = (knob: Schedule | Knobs): knob is Schedule => typeof knob !== "object";

/**
 * Sample indices of steps `first` … `first + count − 1`, row after row. Every epoch is a new
 * random order of all samples; its last, incomplete batch is dropped. The order depends on the
 * seed alone: every method sees the same batches.
 */
export function batchRows(
  seed: number,
  size: number,
  batch: number,
  first: number,
  count: number,
): Int32Array {
  const perEpoch = Math.floor(size / batch);
  const rows = new Int32Array(count * batch);
  let epoch = -1;
  let order: Int32Array = new Int32Array(0);
  for (let i = 0; i < count; i++) {
    const t = first + i;
    if (Math.floor(t / perEpoch) !== epoch) {
      epoch = Math.floor(t / perEpoch);
      order = randomStream(seed, "batches", epoch).permutation(size);
    }
    const from = (t % perEpoch) * batch;
    rows.set(order.subarray(from, from + batch), i * batch);
  }
  return rows;
}

function toRecords(
  records: { readonly [name: string]: Tree<Tensor> },
  first: number,
  count: number,
): Records {
  const column = (name: string) => (records[name] as Tensor).data;
  const { details, point, ascentPoint } = records;
  return {
    first,
    count,
    loss: column("loss"),
    shiftedLoss: column("shiftedLoss"),
    gradNorm: column("gradNorm"),
    shiftedGradNorm: column("shiftedGradNorm"),
    cosine: column("cosine"),
    evaluations: column("evaluations"),
    skipped: column("skipped"),
    details: Object.fromEntries(
      leavesWithPaths(details as Tree<Tensor>).map(([name, leaf]) => [name, leaf.data]),
    ),
    ...(point && { point }),
    ...(ascentPoint && { ascentPoint }),
  };
}
