/**
 * ONNX Runtime, the run time of the native engine, behind one seam: `#ort` in package.json says
 * what it is on each platform.
 */
// First: it must be evaluated before the run time is.
// oxlint-disable-next-line import/no-unassigned-import
import "./telemetry.ts";
import type * as Ort from "#ort";
import { MissingEngineError } from "../program.ts";

export type Runtime = typeof Ort & {
  /** Threads that there are, where the run time cannot have any number of them. */
  readonly mostThreads?: number;
};

/**
 * Load the run time.
 *
 * @throws {MissingEngineError} when the package is not there, its binary does not load, or this
 * platform has none.
 */
export async function loadRuntime(): Promise<Runtime> {
  try {
    return await import("#ort");
  } catch (error) {
    const [reason] = String(error instanceof Error ? error.message : error).split("\n");
    throw new MissingEngineError(
      "native",
      `ONNX Runtime does not load here: ${reason} (install lucid-sam again, or npm ci in a clone; or use --engine jax)`,
    );
  }
}
