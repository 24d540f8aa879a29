/** `lucid train`: one run, watched, with a verdict at the end. */
import type { Command } from "@commander-js/extra-typings";
import { InputError, unknownName } from "../engine/errors.ts";
import { describeHost } from "../platform/node/host.ts";
import { catchInterrupt } from "../platform/node/interrupt.ts";
import { startProgress } from "../platform/node/progress.ts";
import { nodeDatasets } from "../study/datasets.ts";
import { defaultStride, type MetricRow } from "../study/rows.ts";
import { createRunner } from "../study/run.ts";
import { isNetwork, parseSpec } from "../study/spec.ts";
import { fieldOption, option, pairs } from "./flags.ts";
import { progressLine, summary } from "./report.ts";
import { Interrupted, printJson, type Terminal } from "./terminal.ts";

const engines = ["auto", "native", "jax"] as const;

/** Flags that say how to run, not what. */
interface RunFlags {
  readonly engine?: string;
  readonly threads?: string;
  readonly recordEvery?: string;
  readonly trace?: boolean;
  readonly json?: boolean;
  readonly set?: { readonly [key: string]: string };
}

export function addTrain(program: Command, terminal: Terminal): void {
  program
    .command("train")
    .description("Train with one method, watch both gradients, and say how it ended.")
    .optionsGroup("What to train:")
    .addOption(fieldOption("problem", "name"))
    .addOption(fieldOption("data", "name"))
    .addOption(fieldOption("n", "count"))
    .addOption(fieldOption("pool", "side"))
    .addOption(fieldOption("normalization", "kind"))
    .addOption(fieldOption("hidden", "widths"))
    .addOption(fieldOption("activation", "name"))
    .addOption(fieldOption("start", "x,y"))
    .addOption(fieldOption("separate"))
    .optionsGroup("How to train:")
    .addOption(fieldOption("method", "name"))
    .addOption(fieldOption("rho", "number"))
    .addOption(pairs("--set <key=value>", "another setting of the method; may be repeated"))
    .addOption(fieldOption("switch", "fraction"))
    .addOption(fieldOption("optimizer", "name"))
    .addOption(fieldOption("lr", "number"))
    .addOption(fieldOption("momentum", "number"))
    .addOption(fieldOption("nesterov"))
    .addOption(fieldOption("weightDecay", "number"))
    .addOption(fieldOption("clip", "norm"))
    .addOption(fieldOption("schedule", "kind"))
    .addOption(fieldOption("steps", "count"))
    .addOption(fieldOption("batch", "full|N"))
    .addOption(fieldOption("seed", "number"))
    .addOption(fieldOption("dtype", "type"))
    .optionsGroup("Where to run, what to keep:")
    .addOption(option("--engine <name>", "auto, native or jax (default: auto)"))
    .addOption(option("--threads <count>", "threads of the native engine (default: 1)"))
    .addOption(
      option(
        "--record-every <steps>",
        "keep a row of every so many steps (default: the smallest power of two that makes at most 1000 rows)",
      ),
    )
    .option("--trace", "keep a row of every step, and print the rows with --json; planes always do")
    .option("--json", "print one JSON document instead of a summary")
    .action((flags) => train(flags, terminal));
}

async function train(flags: RunFlags, terminal: Terminal): Promise<void> {
  const { engine = "auto", threads, recordEvery, trace, json, set, ...fields } = flags;
  const spec = parseSpec({ ...fields, ...(set && { settings: set }) });
  const chosen = engines.find((name) => name === engine);
  if (chosen === undefined) throw unknownName("engine", engine, engines);
  const stride = wholeNumber("record-every", recordEvery);
  const progress = startProgress({ stream: terminal.err });
  const interrupt = catchInterrupt(() => progress.note("stopping …"));
  const runner = createRunner({
    host: await describeHost(),
    loadDataset: nodeDatasets(),
    engine: chosen,
    threads: wholeNumber("threads", threads) ?? 1,
    onFallback: (reason) => progress.note(reason),
  });
  const rows: MetricRow[] = [];
  try {
    let began = { step: 0, at: 0 };
    const outcome = await runner.run(spec, {
      recordEvery: stride ?? (trace ? 1 : defaultStride(spec.steps)),
      signal: interrupt.signal,
      onStart({ step }) {
        began = { step, at: performance.now() };
      },
      onChunk(chunk) {
        rows.push(...chunk.rows);
        if (chunk.warning) progress.note(chunk.warning.sentence);
        progress.update(() =>
          progressLine(chunk, {
            steps: spec.steps,
            taken: chunk.checkpoint.state.step - began.step,
            seconds: (performance.now() - began.at) / 1000,
          }),
        );
      },
    });
    progress.done();
    if (outcome.status === "interrupted") throw new Interrupted("");
    const { result, last } = outcome;
    if (json) {
      printJson(terminal, {
        ...result,
        trace: trace || !isNetwork(spec) ? [...rows, last] : null,
        out: null,
      });
    } else terminal.out(summary(result));
  } finally {
    interrupt.dispose();
    await runner.dispose();
  }
}

/** A whole number of 1 or more, as text. */
function wholeNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InputError(`invalid ${flag}: ${text} (give a whole number, 1 or more)`);
}
