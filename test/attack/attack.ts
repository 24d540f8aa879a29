/**
 * Attacks on every reader and on the command line, by seed.
 *
 *     npm run attack -- --cases 100000 --seed 0 [--limit 20]
 *
 * `--limit` are the seconds after which a case counts as a hang: a busy machine needs more. Cases
 * run in a process that is ended when one takes too long, and started again where one ended it.
 * Ctrl-C ends the attack with what was found so far.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { parseArgs } from "node:util";

/** What became of the cases of one target. */
export interface Tally {
  readonly target: string;
  readonly guard: string | null;
  cases: number;
  /** Refused in one line with the file's name. */
  refused: number;
  /** Read as what was written: the damage hit nothing that counts. */
  same: number;
  /** Read as something else that nothing guards, or whose checksum was forged. */
  others: number;
  /** Read as something else in spite of a guard. */
  silent: number;
  crashes: number;
  hangs: number;
}

/** A case that went wrong; the seed and its number bring it back. */
export interface Failure {
  readonly target: string;
  readonly number: number;
  readonly kind: "silent" | "crash" | "hang";
  readonly how: string;
  readonly what: string;
}

export interface AttackReport {
  readonly tallies: readonly Tally[];
  readonly failures: readonly Failure[];
}

export interface AttackOptions {
  readonly cases: number;
  readonly seed?: number;
  /** The case to begin with; default the first. */
  readonly first?: number;
  /** Only targets whose name contains this. */
  readonly only?: string;
  /** Milliseconds per case; default 20 000. */
  readonly limit?: number;
  /** Ends the attack before its last case. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number) => void;
}

/** From the process: its targets, then for each case that it begins and how it ended. */
export type AttackEvent =
  | {
      readonly kind: "targets";
      readonly targets: readonly { name: string; guard: string | null }[];
    }
  | { readonly kind: "begin"; readonly number: number; readonly target: string }
  | { readonly kind: "end"; readonly outcome: keyof Outcomes; readonly failure?: Failure };

type Outcomes = Omit<Tally, "target" | "guard" | "cases" | "hangs">;

/** Run cases `first` … `first + cases − 1` of a seed. */
export async function attack({
  cases,
  seed = 0,
  first = 0,
  only = "",
  limit = 20_000,
  signal,
  onProgress,
}: AttackOptions): Promise<AttackReport> {
  const tallies = new Map<string, Tally>();
  const failures: Failure[] = [];
  const end = first + cases;
  let next = first;
  while (next < end && !signal?.aborted) {
    const range = JSON.stringify({ first: next, end, seed, only });
    const child = fork(new URL("cases.ts", import.meta.url), [range], {
      execArgv: ["--conditions=source"],
    });
    const kill = () => child.kill("SIGKILL");
    signal?.addEventListener("abort", kill);
    const ended = Promise.all([once(child, "exit"), once(child, "disconnect")]);
    let current: { number: number; target: string } | undefined;
    let since = performance.now();
    let isHang = false;
    const watch = setInterval(() => {
      if (current === undefined || performance.now() - since < limit) return;
      isHang = true;
      kill();
    }, 100);
    child.on("message", (event: AttackEvent) => {
      if (event.kind === "targets") {
        const none = { cases: 0, refused: 0, same: 0, others: 0, silent: 0, crashes: 0, hangs: 0 };
        for (const { name, guard } of event.targets) {
          if (!tallies.has(name)) tallies.set(name, { target: name, guard, ...none });
        }
      } else if (event.kind === "begin") {
        current = event;
        since = performance.now();
      } else if (current) {
        const tally = tallies.get(current.target) as Tally;
        tally.cases++;
        tally[event.outcome]++;
        if (event.failure) failures.push(event.failure);
        next = current.number + 1;
        onProgress?.(next - first);
        current = undefined;
      }
    });
    const [[code, killedBy]] = (await ended) as [[number | null, string | null], unknown];
    clearInterval(watch);
    signal?.removeEventListener("abort", kill);
    if (signal?.aborted) break;
    if (current !== undefined) {
      const { number, target } = current;
      const tally = tallies.get(target) as Tally;
      tally.cases++;
      tally[isHang ? "hangs" : "crashes"]++;
      const what = isHang ? `${limit} ms` : `the process ended with ${killedBy ?? code}`;
      failures.push({ target, number, kind: isHang ? "hang" : "crash", how: "", what });
      next = number + 1;
    } else if (next < end) {
      throw new Error(`the process of attacks ended with ${killedBy ?? code} between two cases`);
    }
  }
  return { tallies: [...tallies.values()], failures };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      cases: { type: "string", default: "100000" },
      seed: { type: "string", default: "0" },
      first: { type: "string", default: "0" },
      only: { type: "string", default: "" },
      limit: { type: "string", default: "20" },
    },
  });
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  const report = await attack({
    signal: stop.signal,
    cases: Number(values.cases),
    seed: Number(values.seed),
    first: Number(values.first),
    only: values.only,
    limit: 1000 * Number(values.limit),
    onProgress: (done) => {
      if (done % 1000 === 0) process.stderr.write(`${done} of ${values.cases}\n`);
    },
  });
  const { tallies, failures } = report;
  console.table(Object.fromEntries(tallies.map(({ target, ...rest }) => [target, rest])));
  for (const failure of failures.slice(0, 200)) console.log(JSON.stringify(failure));
  if (failures.length > 0) process.exitCode = 1;
}
