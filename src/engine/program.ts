/** Programs: the contract between a training step and the engines that compile and run it. */
import type { EngineName } from "./engines.ts";
import { MachineError } from "./errors.ts";
import type { np } from "./jax-js.ts";
import type { Tensor, TensorType, Tree } from "./tensor.ts";

/** A tree of jax-js arrays: while tracing, every leaf is a tracer. */
export type ArrayTree = Tree<np.Array>;

/**
 * One step as a pure jax-js function. It is only ever traced, so it may leak references:
 * a tracer holds no memory. Calls into jax-js still consume their arguments (`.ref` keeps one).
 *
 * - `carry` is what a step hands to the next one: parameters and optimizer state.
 * - `inputs` are the same for every step of a run: the data set.
 * - `knobs` are this step's slice of what may differ from step to step: ρ, learning rate,
 *   mini-batch indices, random keys.
 * - The record is what the step reports; a run returns the records stacked.
 */
export type StepFunction = (
  carry: ArrayTree,
  inputs: ArrayTree,
  knobs: ArrayTree,
) => { carry: ArrayTree; record: ArrayTree };

/** A step together with the types it is compiled for. Example tensors serve as types. */
export interface StepDefinition {
  readonly step: StepFunction;
  readonly carry: Tree<TensorType>;
  readonly inputs: Tree<TensorType>;
  /** Types of one step's slice: a knob given per step as `[steps, ...shape]` has type `shape` here. */
  readonly knobs: Tree<TensorType>;
}

/** What {@link Program.run} hands to `onChunk` after every chunk of steps. */
export interface ProgramChunk {
  /** Steps finished so far in this run, this chunk included. */
  readonly step: number;
  readonly carry: Tree<Tensor>;
  /** Records of this chunk's steps, stacked: every leaf has shape `[stepsInChunk, ...]`. */
  readonly records: Tree<Tensor>;
}

/** What a run starts from and how it goes. */
export interface ProgramRun {
  readonly carry: Tree<Tensor>;
  readonly inputs: Tree<Tensor>;
  /**
   * Each leaf either has its declared type (held for all steps) or one leading axis of
   * length `steps` (one slice per step).
   */
  readonly knobs: Tree<Tensor>;
  /** Number of steps, ≥ 0. */
  readonly steps: number;
  /** Largest number of steps per chunk; default: chosen so that a chunk takes about 0.2 s. */
  readonly chunk?: number | undefined;
  /** Checked between chunks; the run then returns with `steps` smaller than asked. */
  readonly signal?: AbortSignal | undefined;
  /** Called, and awaited, after every chunk. Records are then not collected in the result. */
  readonly onChunk?: ((chunk: ProgramChunk) => void | Promise<void>) | undefined;
}

/** Where a run ended. */
export interface ProgramResult {
  readonly carry: Tree<Tensor>;
  /** Stacked records of all steps that ran; empty leaves when `onChunk` was given. */
  readonly records: Tree<Tensor>;
  /** Steps that ran: fewer than asked only after `signal` was aborted. */
  readonly steps: number;
}

/** A compiled step. Chunking never changes the numbers. */
export interface Program {
  readonly engine: EngineName;
  /** Device the steps run on, in words: `cpu, 1 thread`, `wasm`, `webgpu`. */
  readonly device: string;
  /** Time from step function to ready program, in milliseconds. */
  readonly compileMilliseconds: number;
  run(options: ProgramRun): Promise<ProgramResult>;
  /** The step in its loop as a serialized ONNX model; only the native engine has one. */
  toOnnx?(): Uint8Array;
  /**
   * The same program once more, in a thread of its own, so that two runs take place at once; absent or
   * `undefined` where this engine or platform has none. The numbers are the same.
   */
  twin?(): Twin | undefined;
  /** Free what the program holds. A second call does nothing. */
  dispose(): Promise<void>;
}

/** A program in another thread: see {@link Program.twin}. */
export interface Twin {
  /** One run at a time; further ones wait. Data is copied there and back. */
  run(options: Pick<ProgramRun, "carry" | "inputs" | "knobs" | "steps">): Promise<ProgramResult>;
  /** End the thread. */
  dispose(): Promise<void>;
}

/** How a step is compiled. */
export interface CompileOptions {
  /** Intra-op threads of the native engine; default 1. */
  readonly threads?: number | undefined;
  /** Where the native engine runs; default `cpu`. */
  readonly provider?: "cpu" | "cuda" | "webgpu" | "coreml" | undefined;
}

/**
 * A primitive, shape or type that an engine, or the writer of scalar code, cannot compile. `auto`
 * falls back to jax on it.
 */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError";
  readonly engine: EngineName | "scalar";
  readonly primitive: string;
  /** @param detail the types at hand, and a remedy in parentheses. */
  constructor(engine: EngineName | "scalar", primitive: string, detail: string) {
    const what = engine === "scalar" ? "scalar code" : `the ${engine} engine`;
    super(`unknown primitive "${primitive}" for ${what}: ${detail}`);
    this.engine = engine;
    this.primitive = primitive;
  }
}

/** What an engine runs on is not there or cannot be loaded. `auto` falls back to jax on it. */
export class MissingEngineError extends MachineError {
  readonly engine: EngineName;
  /** @param detail what is missing and why, and a remedy in parentheses. */
  constructor(engine: EngineName, detail: string) {
    super(`missing ${engine} engine: ${detail}`);
    this.engine = engine;
  }
}
