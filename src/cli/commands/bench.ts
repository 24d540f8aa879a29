/** `lucid bench`: our engines, PyTorch and JAX on the same steps, side by side. */
import type { Command } from "@commander-js/extra-typings";
import { groups, runBench, type BenchRow } from "../../bench/harness.ts";
import { unknownName } from "../../engine/errors.ts";
import { option, wholeNumber } from "../shared/arguments.ts";
import { table } from "../shared/table.ts";
import { printJson, type Terminal } from "../shared/terminal.ts";

interface BenchFlags {
  readonly python?: string;
  readonly only?: string;
  readonly blocks?: string;
  readonly threads?: string;
  readonly json?: true;
}

export function addBench(program: Command, terminal: Terminal): void {
  program
    .command("bench")
    .description("Time training steps: our engines, and PyTorch and JAX where a Python has them.")
    .addOption(option("--python <path>", "a Python that has torch, and jax for one more peer"))
    .addOption(option("--only <group>", `one of: ${groups.map(({ name }) => name).join("; ")}`))
    .addOption(option("--blocks <count>", "blocks of steps per contender (default: 7)"))
    .addOption(option("--threads <list>", "numbers of threads, as in 1,2 (default: 1 and all)"))
    .option("--json", "print one JSON document")
    .action((flags) => bench(flags, terminal));
}

async function bench(
  { python, only, blocks, threads, json }: BenchFlags,
  terminal: Terminal,
): Promise<void> {
  const names = groups.map(({ name }) => name);
  if (only !== undefined && !names.includes(only)) throw unknownName("group", only, names);
  const rows: BenchRow[] = [];
  for await (const row of runBench({
    ...(python === undefined ? {} : { python }),
    ...(only === undefined ? {} : { groups: ["matrix product", only] }),
    ...(blocks === undefined ? {} : { blocks: wholeNumber("blocks", blocks) }),
    ...(threads === undefined
      ? {}
      : { threads: threads.split(",").map((n) => wholeNumber("threads", n)) }),
    onProgress: (line) => terminal.err.write(`${line}\n`),
  })) {
    rows.push(row);
  }
  if (json) printJson(terminal, rows);
  else terminal.out(describe(rows));
}

/** One line per contender; "of peak" is the share of the matrix product's speed in this run. */
function describe(rows: readonly BenchRow[]): string {
  const peak = (threads: number) =>
    rows.find((row) => row.group === "matrix product" && row.threads === threads)?.gigaflops;
  const head = ["step", "contender", "threads", "ms", "least…largest", "Gflop/s", "of peak", "MiB"];
  return table([
    head,
    ...rows.map((row) => {
      const best = peak(row.threads);
      const share = best === undefined ? "" : `${Math.round((100 * row.gigaflops) / best)} %`;
      return [
        row.group,
        row.contender,
        String(row.threads),
        digits(row.median),
        `${digits(row.least)}…${digits(row.largest)}`,
        row.gigaflops === 0 ? "" : digits(row.gigaflops),
        row.gigaflops === 0 ? "" : share,
        String(Math.round(row.peakBytes / 2 ** 20)),
      ];
    }),
  ]);
}

const digits = (value: number): string => value.toPrecision(3);
