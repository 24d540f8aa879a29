/** Outages: patience with servers that go away and come back. */
import { setTimeout as sleep } from "node:timers/promises";
import { InputError, MachineError, reasonOf } from "../../engine/errors.ts";

/** Seconds for which a server may be gone. */
const patience = 300;

/**
 * Try until the server is there again: for work that may be repeated.
 *
 * @throws {MachineError} when it stays away for five minutes; anything else at once.
 */
export async function persist<T>(name: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  for (let pause = 100; ; pause = Math.min(2 * pause, 5000)) {
    try {
      return await work();
    } catch (error) {
      if (!isOutage(error)) throw error;
      if (performance.now() - began > 1000 * patience) {
        throw new MachineError(`invalid store ${name}: ${reasonOf(error)}, for ${patience} s`, {
          cause: error,
        });
      }
    }
    await sleep(pause);
  }
}

/** Whether the server or the way to it is gone for now, or a transaction lost a race for its locks. */
export function isOutage(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isOutage);
  // What is told to people may quote anything, such as a study called "timeout".
  if (!(error instanceof Error) || error instanceof InputError) return false;
  if ("code" in error && typeof error.code === "string") {
    // Classes 08 (connection), 57P (shutdown, start-up), 53 (resources), 40 (serialization).
    return (
      /^(08|57P|53|40)/.test(error.code) ||
      /^(ECONN|EPIPE|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENETDOWN|EAI_AGAIN)/.test(error.code)
    );
  }
  // What the client says itself has no code.
  return /terminated|timeout|Connection ended|not queryable/i.test(error.message);
}
