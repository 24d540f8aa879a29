/** The protocol between the page and its engine: what is asked of a worker, and what it tells. */
import type { Certificate, Verdict, Warning } from "lucid-sam/diagnostics";
import type { EngineChoice, EngineName, Tensor } from "lucid-sam/engine";
import type { Model, Point } from "lucid-sam/problems";
import type { MetricRow, RunSpec, Scores } from "lucid-sam/run";

/** A program that is ready to run, and where it begins. */
export interface Opened {
  readonly spec: RunSpec;
  readonly engine: EngineName;
  /** In words: `cpu, 1 thread`. */
  readonly device: string;
  /** Why the native engine is not used, where it is not. */
  readonly fallback?: string | undefined;
  readonly compileMilliseconds: number;
  readonly model: Model;
}

/** How far to run. */
export interface RunRequest {
  /** The step to stop at; default: the end of the spec's run. */
  readonly until?: number | undefined;
  /** Keep a row of every so many steps; default 1. */
  readonly recordEvery?: number | undefined;
}

/** What some steps brought: told about five times in a second while a run goes on. */
export interface Progress {
  /** Steps taken. */
  readonly step: number;
  readonly rows: readonly LabRow[];
  /** The last step. */
  readonly latest: LabRow;
  /** Given once, with the steps that first support it. */
  readonly warning?: Warning | undefined;
  /** The screen's verdict on the run so far. */
  readonly verdict: Verdict;
}

/** A row of the history, with ‖g⁺‖/‖g‖. */
export interface LabRow extends MetricRow {
  readonly gradRatio: number;
}

/** Where a run stands when it stops: at the step asked for, or sooner where it was paused. */
export interface Stopped {
  readonly step: number;
  readonly paused: boolean;
  readonly model: Model;
  readonly verdict: Verdict;
  readonly warning: Warning | null;
}

/**
 * A point that was stored: tensors by name, which the problem's parameters are matched to, or an
 * exported problem, whose point lies with it.
 */
export type StoredPoint =
  | { readonly tensors: Readonly<Record<string, Tensor>>; readonly name: string }
  | {
      readonly files: readonly { readonly path: string; readonly bytes: Uint8Array<ArrayBuffer> }[];
    };

/** A checkpoint, as `saveState` makes it. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** What is asked of an engine. Each is answered once; `run` and `certify` tell their progress before. */
export interface Requests {
  open(spec: RunSpec, engine: EngineChoice, from: Bytes | undefined): Opened;
  run(request: RunRequest): Stopped;
  /** Other settings from here on; the model, its momentum and its history stay. */
  change(spec: RunSpec): RunSpec;
  pause(): void;
  /** Where the run stands, as the bytes of a safetensors file: `open` goes on from them bit for bit. */
  checkpoint(): Bytes;
  /** Parameters at SAM's ascent point of radius ρ from where the run stands, in float64. */
  ascent(rho: number): Model["params"];
  /** Certify in float64 where the run stands, or at a point of its plane; `null` without a ρ. */
  certify(point: Point | undefined): Certificate | null;
  /** Certify a stored point as a run of this spec would leave it; nothing need be open. */
  certifyStored(spec: RunSpec, point: StoredPoint): Certificate | null;
  /** Loss and score of the model on all training and test samples. */
  evaluate(): Scores;
}

/** What a worker says of a request before it answers. */
export type Told =
  | { readonly id: number; readonly progress: Progress }
  /** What a certificate is being computed from. */
  | { readonly id: number; readonly note: string };
