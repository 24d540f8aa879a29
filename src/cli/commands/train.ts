/** `lucid train`: one run, watched, with a verdict at the end. */
import type { Command } from "@commander-js/extra-typings";
import { InputError } from "../../engine/errors.ts";
import { continueRunFolder, readRunFolder } from "../../store/run-folder.ts";
import { defaultStride, type MetricRow } from "../../run/history.ts";
import type { RunResult } from "../../run/run.ts";
import { stepsPerEpoch } from "../../run/spec.ts";
import { findProblem } from "../../problems/registry.ts";
import {
  chooseEngine,
  engineOption,
  option,
  seconds,
  threadsOption,
  wholeNumber,
} from "../shared/arguments.ts";
import { addSpecOptions, kebab, specOf, type SpecFlags } from "../shared/flags.ts";
import { runInForeground, type ForegroundRun } from "../shared/foreground.ts";
import { summary } from "../shared/report.ts";
import { printJson, type Terminal } from "../shared/terminal.ts";

/** Flags that say how to run, not what. */
interface RunFlags extends SpecFlags {
  readonly engine?: string;
  readonly threads?: string;
  readonly epochs?: string;
  readonly recordEvery?: string;
  readonly probeDescent?: string;
  readonly evaluateEvery?: string;
  readonly probeEvery?: string;
  readonly saveEvery?: string;
  readonly trace?: boolean;
  readonly out?: string;
  readonly resume?: string;
  readonly tensorboard?: string;
  readonly json?: boolean;
}

export function addTrain(program: Command, terminal: Terminal): void {
  const command = program
    .command("train")
    .description("Train with one method, watch both gradients, and say how it ended.");
  addSpecOptions(command)
    .optionsGroup("Where to run, what to keep:")
    .addOption(engineOption())
    .addOption(threadsOption(1))
    .addOption(
      option(
        "--record-every <steps>",
        "keep a row of every so many steps (default: the smallest power of two that makes at most 1000 rows)",
      ),
    )
    .addOption(
      option(
        "--probe-descent <steps>",
        "ask after every so many steps whether plain descent would lower the loss, in a copy: 9 gradients on all samples, and a warning that says what was measured",
      ),
    )
    .addOption(
      option(
        "--evaluate-every <steps>",
        "score the model on all samples after every so many steps, and keep the best one (default: every epoch with --epochs and mini-batches, else never)",
      ),
    )
    .addOption(
      option(
        "--probe-every <steps>",
        "let the screen judge by both gradients over all samples, taken every so many steps, instead of by mini-batches (default: never)",
      ),
    )
    .option("--trace", "keep a row of every step, and print the rows with --json; planes always do")
    .addOption(
      option(
        "--out <folder>",
        "keep the run in a new folder (default: lucid-run-HASH, and only when it is stopped)",
      ),
    )
    .addOption(
      option(
        "--save-every <seconds>",
        "save where the run stands at least so often, sooner at first (default: 10)",
      ),
    )
    .addOption(
      option("--tensorboard <folder>", "also write an event file there, which TensorBoard reads"),
    )
    .addOption(option("--resume <folder>", "continue the run in a folder, bit for bit"))
    .option("--json", "print one JSON document instead of a summary")
    .action((flags) => train(flags, terminal));
}

async function train(flags: RunFlags, terminal: Terminal): Promise<void> {
  const { json = false, trace = false, resume } = flags;
  const print = (result: RunResult, rows: readonly MetricRow[], out: string | undefined) => {
    if (json) {
      const shown = trace || findProblem(result.spec.problem).kind === "plane";
      printJson(terminal, { ...result, trace: shown ? rows : null, out: out ?? null });
    } else terminal.out(summary(result));
  };
  if (resume === undefined) {
    const { result, rows, out } = await runInForeground(newJob(flags), json, terminal);
    print(result, rows, out);
    return;
  }
  refuseOtherFlags(flags);
  const stored = await readRunFolder(resume);
  if (stored.result !== undefined) {
    print(stored.result, stored.rows, resume);
    return;
  }
  const { spec, version: _, ...how } = stored.config;
  const saveEvery = seconds("save-every", flags.saveEvery);
  const continued = await continueRunFolder(resume, saveEvery);
  const { tensorboard } = flags;
  const job = { ...how, spec, saveEvery, out: resume, continued, tensorboard };
  const { result, rows } = await runInForeground(job, json, terminal);
  print(result, rows, resume);
}

function newJob(flags: RunFlags): ForegroundRun {
  const { engine, threads, recordEvery, trace, out, epochs } = flags;
  const spec = specOf(flags);
  const eachEpoch = epochs !== undefined && spec.batch !== "full" ? stepsPerEpoch(spec) : undefined;
  const stride = wholeNumber("record-every", recordEvery);
  return {
    spec,
    engine: chooseEngine(engine),
    threads: wholeNumber("threads", threads) ?? 1,
    recordEvery: stride ?? (trace ? 1 : defaultStride(spec.steps)),
    probeDescent: wholeNumber("probe-descent", flags.probeDescent),
    evaluateEvery: wholeNumber("evaluate-every", flags.evaluateEvery) ?? eachEpoch,
    probeEvery: wholeNumber("probe-every", flags.probeEvery),
    saveEvery: seconds("save-every", flags.saveEvery),
    out,
    tensorboard: flags.tensorboard,
  };
}

/** A run continues as it began: nothing about it can be changed. */
function refuseOtherFlags(flags: RunFlags): void {
  const other = Object.keys(flags).find(
    (flag) => !["resume", "saveEvery", "json", "trace", "tensorboard"].includes(flag),
  );
  if (other !== undefined) {
    throw new InputError(`invalid --${kebab(other)}: a resumed run keeps its own (leave it out)`);
  }
}
