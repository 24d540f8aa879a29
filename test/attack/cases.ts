/** The process in which cases run: see `attack.ts`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { InputError } from "../../src/engine/errors.ts";
import { loadJax } from "../../src/engine/jax-js.ts";
import { randomStream, type RandomStream } from "../../src/engine/random.ts";
import type { AttackEvent, Failure } from "./attack.ts";
import { makeCommand, runCommand } from "./commands.ts";
import { damage } from "./damage.ts";
import { prepareReaders, type Reader } from "./readers.ts";

const { first, end, seed, only } = JSON.parse(process.argv[2] ?? "{}") as {
  first: number;
  end: number;
  seed: number;
  only: string;
};
const post = (event: AttackEvent) => process.send?.(event);

type Ending = Omit<Extract<AttackEvent, { kind: "end" }>, "kind">;

/** One thing that is attacked. */
interface Target {
  readonly name: string;
  readonly guard: string | null;
  readonly weight: number;
  run(random: RandomStream, number: number): Promise<Ending>;
}

/**
 * Whether what was found is what was expected: objects may have more entries, such as a checksum
 * whose name was damaged; lists may be shorter where something may be missing.
 */
function agrees(expected: unknown, found: unknown, missing: Reader["missing"]): boolean {
  if (typeof expected !== "object" || expected === null || ArrayBuffer.isView(expected)) {
    return isDeepStrictEqual(expected, found);
  }
  if (typeof found !== "object" || found === null) return false;
  if (Array.isArray(expected)) {
    return (
      Array.isArray(found) &&
      (found.length === expected.length || (missing === "end" && found.length < expected.length)) &&
      found.every((entry, i) => agrees(expected[i], entry, undefined))
    );
  }
  if (missing === "any") {
    return Object.entries(found).every(([key, value]) =>
      agrees((expected as { readonly [key: string]: unknown })[key], value, undefined),
    );
  }
  return Object.entries(expected).every(([key, value]: [string, unknown]) =>
    agrees(value, (found as { readonly [key: string]: unknown })[key], undefined),
  );
}

async function readerTarget(reader: Reader): Promise<Target> {
  const { name, kind, guard, content, weight = 10, read, file = "", missing } = reader;
  const expected = await read(content);
  return {
    name,
    guard: guard ?? null,
    weight,
    async run(random, number) {
      const { how, bytes, forged } = damage(kind, content, random);
      const failed = (kind: Failure["kind"], what: string): Ending => ({
        outcome: kind === "silent" ? "silent" : "crashes",
        failure: { target: name, number, kind, how, what: what.slice(0, 1000) },
      });
      try {
        const found = await read(bytes);
        if (agrees(expected, found, missing)) return { outcome: "same" };
        if (guard === undefined || forged) return { outcome: "others" };
        return failed("silent", JSON.stringify(found));
      } catch (error) {
        const { message, stack } = error instanceof Error ? error : new Error(String(error));
        const isAnswer =
          error instanceof InputError &&
          /^(missing|invalid|unknown) /.test(message) &&
          !message.includes("\n") &&
          // What people write is called by its parts instead of its file.
          (guard === undefined || message.includes(file));
        return isAnswer ? { outcome: "refused" } : failed("crash", stack ?? message);
      }
    },
  };
}

const commandTarget = (folder: string): Target => ({
  name: "command line",
  guard: null,
  // Most of them train.
  weight: 6,
  async run(random, number) {
    const command = makeCommand(random, join(folder, "out"));
    const how = JSON.stringify(command);
    const crash = (what: string): Ending => ({
      outcome: "crashes",
      failure: { target: "command line", number, kind: "crash", how, what: what.slice(0, 1000) },
    });
    try {
      const { refused, fault } = await runCommand(command, folder);
      if (fault !== undefined) return crash(fault);
      return { outcome: refused ? "refused" : "same" };
    } catch (error) {
      return crash(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  },
});

await loadJax();
const folder = mkdtempSync(join(tmpdir(), "lucid-attack-"));
try {
  const readers = await prepareReaders(folder);
  const all: Target[] = [commandTarget(folder)];
  for (const reader of readers) all.push(await readerTarget(reader));
  const targets = all.filter(({ name }) => name.includes(only));
  post({ kind: "targets", targets: targets.map(({ name, guard }) => ({ name, guard })) });
  const total = targets.reduce((sum, { weight }) => sum + weight, 0);
  for (let number = first; number < end; number++) {
    const random = randomStream(seed, "attack", number);
    let place = random.uniform(0, total);
    const target = targets.find(({ weight }) => (place -= weight) < 0) ?? targets[0];
    if (target === undefined) throw new Error(`no target is called ${only}`);
    post({ kind: "begin", number, target: target.name });
    post({ kind: "end", ...(await target.run(random, number)) });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.disconnect();
