/** Threads: eight per core are served, one more is refused with the bound. */
import { afterEach, expect, test, vi } from "vitest";
import { InputError } from "./errors.ts";
import { checkThreads } from "./threads.ts";

afterEach(() => vi.unstubAllGlobals());

test.each<[navigator: object | undefined, most: number, has: string]>([
  [{ hardwareConcurrency: 1 }, 8, "1 core"],
  [{ hardwareConcurrency: 2 }, 16, "2 cores"],
  // Node 20 does not say.
  [undefined, 64, "8 cores"],
])("of a machine with navigator %j %d are served", (navigator, most, has) => {
  vi.stubGlobal("navigator", navigator);
  for (const count of [1, most]) expect(() => checkThreads("threads", count)).not.toThrow();
  expect(() => checkThreads("workers", most + 1)).toThrow(
    new InputError(`invalid workers: ${most + 1} (this machine has ${has}; give at most ${most})`),
  );
});
