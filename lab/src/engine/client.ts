/** The engine as a view uses it: a worker of its own, asked by functions that answer with promises. */
import type { Certificate } from "lucid-sam/diagnostics";
import { MachineError, type EngineChoice } from "lucid-sam/engine";
import type { Model, Point } from "lucid-sam/problems";
import type { RunSpec, Scores } from "lucid-sam/run";
import type {
  Bytes,
  Opened,
  Progress,
  Requests,
  RunRequest,
  Stopped,
  StoredPoint,
  Told,
} from "./protocol.ts";
import { askWorker } from "../shared/requests.ts";

/**
 * One engine. It computes one run at a time; open another where two race.
 *
 * Every promise fails with an `InputError` or a `MachineError` whose message is one line for the
 * reader, or with a `CancelledError` once the engine was cancelled.
 */
export interface Engine {
  /**
   * Compile a run and stand before its first step, or where a checkpoint of it stands. What was open
   * before is gone. Default engine `auto`.
   */
  open(
    spec: RunSpec,
    options?: { readonly engine?: EngineChoice | undefined; readonly from?: Bytes | undefined },
  ): Promise<Opened>;
  /** Take steps, and tell what they bring. Answers when they are taken, or when it was paused. */
  run(request?: RunRequest, onProgress?: (progress: Progress) => void): Promise<Stopped>;
  /**
   * Go on with another spec of the same problem, whether the run goes on or not: another ρ, another
   * rate, another method from this step on (the switch to SAM). Model and history stay.
   */
  change(spec: RunSpec): Promise<RunSpec>;
  /** Stop after the steps being taken, at most a fifth of a second; `run` goes on from there. */
  pause(): Promise<void>;
  /** Where the run stands: `open` goes on from there bit for bit, in this engine or another. */
  checkpoint(): Promise<Bytes>;
  /** Parameters at SAM's ascent point x⁺ of radius ρ from where the run stands, in float64. */
  ascent(rho: number): Promise<Model["params"]>;
  /**
   * Certify in float64 where the run stands, or at a point of its plane; `null` without a ρ. `onNote`
   * is told, in a few words, what is being computed.
   */
  certify(point?: Point, onNote?: (note: string) => void): Promise<Certificate | null>;
  /**
   * Certify a stored point in float64, as a run of this spec would have left it; `null` without a ρ.
   * Nothing need be open.
   */
  certifyStored(spec: RunSpec, point: StoredPoint): Promise<Certificate | null>;
  /** Loss and score of the model on all training and test samples. */
  evaluate(): Promise<Scores>;
  /** End the worker at once, whatever it computes. */
  cancel(): void;
}

/** The engine was cancelled: nobody waits for the answer any more. */
export class CancelledError extends Error {
  override readonly name = "CancelledError";
}

/** Start an engine. Its worker loads what it needs when the first run is opened. */
export function startEngine(): Engine {
  const { ask, end } = askWorker<Requests, Told>({
    start: () =>
      new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "lucid engine" }),
    failure: (reason) =>
      new MachineError(`missing engine: its worker failed: ${reason} (reload the page)`),
  });
  return {
    open: (spec, { engine = "auto", from } = {}) => ask("open", [spec, engine, from]),
    run: (request = {}, onProgress) =>
      ask("run", [request], (told) => "progress" in told && onProgress?.(told.progress)),
    change: (spec) => ask("change", [spec]),
    pause: () => ask("pause", []),
    checkpoint: () => ask("checkpoint", []),
    ascent: (rho) => ask("ascent", [rho]),
    certify: (point, onNote) =>
      ask("certify", [point], (told) => "note" in told && onNote?.(told.note)),
    certifyStored: (spec, point) => ask("certifyStored", [spec, point]),
    evaluate: () => ask("evaluate", []),
    cancel: () => end(new CancelledError("cancelled")),
  };
}
