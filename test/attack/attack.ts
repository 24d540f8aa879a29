/**
 * Attacks on every reader and on the command line, by seed.
 *
 *     npm run attack -- --cases 100000 --seed 0
 *
 * Cases run in a thread that is ended when one takes too long.
 */
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";

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
  readonly onProgress?: (done: number) => void;
}

/** From the thread: its targets, then for each case that it begins and how it ended. */
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
  onProgress,
}: AttackOptions): Promise<AttackReport> {
  const tallies = new Map<string, Tally>();
  const failures: Failure[] = [];
  const end = first + cases;
  let next = first;
  while (next < end) {
    next = await new Promise<number>((resolve, reject) => {
      const worker = new Worker(new URL("thread.ts", import.meta.url), {
        execArgv: ["--conditions=source"],
        workerData: { first: next, end, seed, only },
      });
      let current: { number: number; target: string } | undefined;
      let since = performance.now();
      const stop = (at: number) => {
        clearInterval(watch);
        void worker.terminate().then(() => resolve(at));
      };
      const watch = setInterval(() => {
        if (current === undefined || performance.now() - since < limit) return;
        const { number, target } = current;
        failures.push({ target, number, kind: "hang", how: "", what: `${limit} ms` });
        const tally = tallies.get(target) as Tally;
        tally.cases++;
        tally.hangs++;
        stop(number + 1);
      }, 100);
      worker.on("message", (event: AttackEvent) => {
        if (event.kind === "targets") {
          for (const { name, guard } of event.targets) {
            if (tallies.has(name)) continue;
            const none = {
              cases: 0,
              refused: 0,
              same: 0,
              others: 0,
              silent: 0,
              crashes: 0,
              hangs: 0,
            };
            tallies.set(name, { target: name, guard, ...none });
          }
        } else if (event.kind === "begin") {
          current = event;
          since = performance.now();
        } else if (current) {
          const tally = tallies.get(current.target) as Tally;
          tally.cases++;
          tally[event.outcome]++;
          if (event.failure) failures.push(event.failure);
          onProgress?.(current.number + 1 - first);
          if (current.number + 1 === end) stop(end);
          current = undefined;
        }
      });
      worker.on("error", (error) => {
        clearInterval(watch);
        reject(error);
      });
    });
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
    },
  });
  const report = await attack({
    cases: Number(values.cases),
    seed: Number(values.seed),
    first: Number(values.first),
    only: values.only,
    onProgress: (done) => {
      if (done % 1000 === 0) process.stderr.write(`${done} of ${values.cases}\n`);
    },
  });
  const { tallies, failures } = report;
  console.table(Object.fromEntries(tallies.map(({ target, ...rest }) => [target, rest])));
  for (const failure of failures.slice(0, 200)) console.log(JSON.stringify(failure));
  if (failures.length > 0) process.exitCode = 1;
}
