/** Threads that a machine can serve. */
import { InputError } from "./errors.ts";

/** Beyond so many per core threads only take memory, and ONNX Runtime then heeds no signal. */
const threadsPerCore = 8;

/**
 * Refuse more threads than this machine can serve.
 *
 * @param what as the message calls them: `threads` or `workers`.
 * @throws {InputError} with the bound.
 */
export function checkThreads(what: string, count: number): void {
  // Node 20 has no navigator.
  const cores = typeof navigator === "undefined" ? 8 : navigator.hardwareConcurrency;
  const most = threadsPerCore * cores;
  if (count <= most) return;
  const has = cores === 1 ? "1 core" : `${cores} cores`;
  throw new InputError(`invalid ${what}: ${count} (this machine has ${has}; give at most ${most})`);
}
