/** Sessions of ONNX Runtime: a compiled step, run chunk by chunk. */
import type { Tensor as OrtTensor } from "#ort";
import { InputError, MachineError } from "../errors.ts";
import type {
  CompileOptions,
  Program,
  ProgramResult,
  ProgramRun,
  StepDefinition,
  Twin,
} from "../program.ts";
import { checkRun, runInChunks } from "../run.ts";
import { checkThreads } from "../threads.ts";
import { openWorker, WorkerLost } from "../worker.ts";
import {
  leavesOf,
  leavesWithPaths,
  mapTree,
  sizeOf,
  typesOf,
  unflattenLike,
  wrap,
  type Tensor,
  type TensorData,
  type TensorType,
  type Tree,
} from "../tensor.ts";
import { portable, resultName, type Target } from "./onnx/layout.ts";
import type { TracedStep } from "../trace.ts";
import type { ProgramAnswer, ProgramQuestion } from "./program-worker.ts";
import type { Runtime } from "./runtime.ts";

/** A serialized model and the number of its operators. */
export interface CompiledModel {
  readonly bytes: Uint8Array;
  readonly operators: number;
}

/** Writes the model for what it is to run on. */
export type WriteModel = (target: Target) => CompiledModel;

/**
 * Beyond this many operators, optimizing a graph takes longer than it saves. A step of ResNet-18
 * has 4,200, of which optimizing takes 0.2 to 0.3 s.
 */
const largeGraph = 12_000;

/** What a program takes and reports. */
export interface ProgramTypes extends Pick<StepDefinition, "carry" | "inputs" | "knobs"> {
  readonly records: TracedStep["records"];
  readonly recordTypes: TracedStep["recordTypes"];
}

/** Load a model and make it a program. */
export async function openProgram(
  runtime: Runtime,
  definition: StepDefinition,
  traced: TracedStep,
  write: WriteModel,
  target: Target,
  options: CompileOptions,
  began: number,
): Promise<Program> {
  const model = write(target);
  const { carry, inputs, knobs } = definition;
  const { records, recordTypes } = traced;
  const types = { carry, inputs, knobs, records, recordTypes };
  const program = await loadProgram(runtime, types, model, options, began);
  const isOnCpu = (options.provider ?? "cpu") === "cpu";
  return {
    ...program,
    toOnnx: () => write(portable).bytes,
    ...(isOnCpu && { twin: () => openTwin(types, model, program) }),
  };
}

/** The same program in a thread of its own, which computes by itself where it has no thread any more. */
function openTwin(types: ProgramTypes, model: CompiledModel, program: Program): Twin | undefined {
  const worker = openWorker<ProgramQuestion, ProgramAnswer>(import.meta.url, "program-worker");
  if (worker === undefined) return undefined;
  const plain = <T extends TensorType>(tree: Tree<T>) =>
    mapTree(typesOf(tree), ({ dtype, shape }) => ({ dtype, shape }));
  const opened = worker.ask({
    kind: "open",
    model,
    types: {
      carry: plain(types.carry),
      inputs: plain(types.inputs),
      knobs: plain(types.knobs),
      records: types.records.map(({ path, dtype, shape }) => ({ path, dtype, shape })),
      recordTypes: plain(types.recordTypes),
    },
  });
  // Whoever asks for a run is told.
  opened.catch(() => {});
  return {
    async run({ carry, inputs, knobs, steps }) {
      try {
        // Asked before it is known to be open: the thread goes on while this one computes.
        const ended = worker.ask({ kind: "run", carry, inputs, knobs, steps });
        ended.catch(() => {});
        await opened;
        return (await ended) as ProgramResult;
      } catch (error) {
        if (!(error instanceof WorkerLost)) throw error;
        return program.run({ carry, inputs, knobs, steps });
      }
    },
    dispose: () => worker.close(),
  };
}

/** Load a model that was written elsewhere. */
export async function loadProgram(
  runtime: Runtime,
  types: ProgramTypes,
  { bytes, operators }: CompiledModel,
  { threads = 1, provider = "cpu" }: CompileOptions,
  began: number,
): Promise<Program> {
  checkProvider(runtime, provider);
  checkThreads("threads", threads);
  checkServed(runtime, threads);
  const session = await runtime.InferenceSession.create(bytes, {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: optimizationLevel(types, operators),
    logSeverityLevel: 3,
    ...(threads > 1 && isBusy(threads) && { extra: withoutSpinning }),
  });
  const compileMilliseconds = performance.now() - began;
  const carryTypes = leavesWithPaths(types.carry, "carry");
  const knobTypes = new Map(leavesWithPaths(types.knobs, "knobs"));
  let disposed = false;

  const feed = (dtype: Tensor["dtype"], shape: readonly number[], data: TensorData): OrtTensor =>
    new runtime.Tensor(dtype, data as Float32Array, shape);
  /** Feeds of `count` steps from step `first` on. */
  const knobFeeds = (options: ProgramRun, first: number, count: number) =>
    leavesWithPaths(options.knobs, "knobs").map(([path, { dtype, shape, data }]) => {
      const type = knobTypes.get(path) as TensorType;
      if (shape.length === type.shape.length) return [path, feed(dtype, [1, ...shape], data)];
      const size = sizeOf(type.shape);
      const rows = data.subarray(first * size, (first + count) * size);
      return [path, feed(dtype, [count, ...type.shape], rows)];
    });

  return {
    engine: "native",
    device:
      provider === "cpu" ? `cpu, ${threads} ${threads === 1 ? "thread" : "threads"}` : provider,
    compileMilliseconds,
    async run(options) {
      checkRun(types, options);
      // Tensors of the data set wrap its memory and serve all chunks.
      const inputs = leavesWithPaths(options.inputs, "inputs").map(([path, t]) => [
        path,
        feed(t.dtype, t.shape, t.data),
      ]);
      let carry = leavesWithPaths(options.carry, "carry");
      return runInChunks(types.recordTypes, options, async (first, count) => {
        const feeds = Object.fromEntries([
          ...inputs,
          ...carry.map(([path, t]) => [path, feed(t.dtype, t.shape, t.data)]),
          ...knobFeeds(options, first, count),
          ["steps", new runtime.Tensor("int64", BigInt64Array.of(BigInt(count)), [])],
        ]) as Record<string, OrtTensor>;
        const results = await session.run(feeds);
        const read = (name: string, type: TensorType): Tensor =>
          wrap((results[name] as OrtTensor).data as TensorData, type.shape, type.dtype);
        carry = carryTypes.map(([path, type]) => [path, read(resultName(path), type)]);
        const stacked = types.records.map(({ path, dtype, shape }) =>
          read(path, { dtype, shape: [count, ...shape] }),
        );
        return {
          carry: unflattenLike(
            types.carry,
            carry.map(([, leaf]) => leaf),
          ),
          stacked,
        };
      });
    },
    async dispose() {
      if (!disposed) await session.release();
      disposed = true;
    },
  };
}

/**
 * Threads that wait for work keep their core by default, which pays where they have one each, and
 * takes it from working threads where other programs run: a residual network's step on two
 * threads took 1,073 ms of processor time with it, 531 to 625 without.
 */
const withoutSpinning = { session: { intra_op: { allow_spinning: "0" } } };

/** Whether other programs leave fewer cores than `threads`, by the load of the last minute. */
function isBusy(threads: number): boolean {
  const os = globalThis.process?.getBuiltinModule?.("node:os");
  if (os === undefined) return false;
  const [load = 0] = os.loadavg();
  // This program is one of those counted.
  return load - 1 > os.availableParallelism() - threads + 0.5;
}

function optimizationLevel(
  { carry, inputs, knobs }: ProgramTypes,
  operators: number,
): "disabled" | "basic" | "all" {
  if (operators > largeGraph) return "disabled";
  // Some of the further fusions make float64 operators that have no kernel.
  const types = [carry, inputs, knobs].flatMap((tree) => leavesOf(tree));
  return types.some(({ dtype }) => dtype === "float64") ? "basic" : "all";
}

function checkServed({ mostThreads = Infinity }: Runtime, threads: number): void {
  if (threads <= mostThreads) return;
  throw new InputError(
    `invalid threads: ${threads} (in browsers there is ${mostThreads}; give 1, or run it with Node)`,
  );
}

function checkProvider({ listSupportedBackends }: Runtime, provider: string): void {
  const known = listSupportedBackends().map(({ name }) => name);
  if (!known.includes(provider)) {
    throw new MachineError(
      `missing provider "${provider}": this build of ONNX Runtime has ${known.join(", ")}`,
    );
  }
}
