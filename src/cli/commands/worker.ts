/** `lucid worker`: cells of all studies in a database, on this machine. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "@commander-js/extra-typings";
import { InputError } from "../../engine/errors.ts";
import { describeMachine } from "../../platform/node/machine.ts";
import { catchInterrupt } from "../../platform/node/interrupt.ts";
import { persist } from "../../platform/node/outage.ts";
import { startProgress } from "../../platform/node/progress.ts";
import { readConfig, unfinishedStudies } from "../../store/database.ts";
import { describeCoordinates } from "../../study/study.ts";
import { openSweeper } from "../../sweep/sweep.ts";
import { chooseWorkers, option, storeOption, workersOption } from "../shared/arguments.ts";
import { connectQueue, storeUrl } from "../shared/stored.ts";
import { Interrupted, type Terminal } from "../shared/terminal.ts";

interface WorkerFlags {
  readonly store?: string;
  readonly study?: string;
  readonly workers?: string;
  readonly once?: true;
}

export function addWorker(program: Command, terminal: Terminal): void {
  program
    .command("worker")
    .description("Run cells of studies that lucid sweep has put into a database.")
    .addOption(storeOption())
    .addOption(option("--study <name>", "of this study only (default: of all)"))
    .addOption(workersOption())
    .option("--once", "end when there is nothing left to do, instead of waiting for more")
    .action((flags) => work(flags, terminal));
}

/** Milliseconds between looks for a study with unfinished cells. */
const idle = 2000;

async function work(flags: WorkerFlags, terminal: Terminal): Promise<void> {
  const url = storeUrl(flags.store);
  if (url === undefined) {
    throw new InputError("missing store (give --store postgres://…, or set DATABASE_URL)");
  }
  const workers = chooseWorkers(flags.workers);
  const machine = await describeMachine();
  const progress = startProgress({ stream: terminal.err });
  const interrupt = catchInterrupt(() => progress.note("stopping …"));
  const { signal } = interrupt;
  let done: number | undefined;
  try {
    const queue = await connectQueue(url);
    const { db } = queue;
    try {
      if (flags.study !== undefined) await readConfig(db, flags.study);
      progress.note(`${workers} ${workers === 1 ? "worker" : "workers"} on ${db.name}`);
      let finished = (done = 0);
      while (!signal.aborted) {
        const unfinished = await persist(db.name, () => unfinishedStudies(db));
        const study = unfinished.find((name) => name === (flags.study ?? name));
        if (study === undefined) {
          if (flags.once) break;
          await sleep(idle, undefined, { signal }).catch(() => undefined);
          continue;
        }
        const { engine, study: definition } = await persist(db.name, () => readConfig(db, study));
        const sweeper = openSweeper({ workers, engine, machine });
        try {
          const open = await queue.open(study, { machine, signal });
          await sweeper.run({
            source: open.source,
            recordEvery: definition.record,
            keep: definition.keep,
            certify: definition.certify,
            signal,
            onEvent(event) {
              if (event.kind === "row") {
                done = ++finished;
                const { status, at, error } = event.row;
                if (status === "failed") {
                  progress.note(`failed ${describeCoordinates(at)}: ${error}`);
                }
              }
              progress.update(() => `${study}: ${finished} cells done here`);
            },
          });
        } finally {
          await sweeper.close();
        }
      }
    } finally {
      await queue.close();
    }
    // Waiting for more ends like this; what was to be done once is not done.
    if (flags.once && signal.aborted) {
      throw new Interrupted("stopped before all was done; the same command goes on from here");
    }
  } finally {
    // Of a worker that could not begin, only why.
    progress.done(done === undefined ? undefined : `${done} cells done`);
    interrupt.dispose();
  }
}
