/** `lucid bench`: our engines, PyTorch and JAX on the same steps, side by side. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Command } from "@commander-js/extra-typings";
import { groups, runBench, type BenchRow } from "../../bench/harness.ts";
import { InputError, unknownName } from "../../engine/errors.ts";
import { checkThreads } from "../../engine/threads.ts";
import { option, wholeNumber } from "../shared/arguments.ts";
import { table } from "../shared/table.ts";
import { printJson, type Terminal } from "../shared/terminal.ts";

interface BenchFlags {
  readonly python?: string;
  readonly only?: string;
  readonly blocks?: string;
  readonly minutes?: string;
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
    .addOption(
      option("--minutes <count>", "for everything, with fewer blocks if need be (default: 8)"),
    )
    .addOption(option("--threads <list>", "numbers of threads, as in 1,2 (default: 1 and all)"))
    .option("--json", "print one JSON document")
    .action((flags) => bench(flags, terminal));
}

async function bench(
  { python, only, blocks, minutes, threads, json }: BenchFlags,
  terminal: Terminal,
): Promise<void> {
  const names = groups.map(({ name }) => name);
  if (only !== undefined && !names.includes(only)) throw unknownName("group", only, names);
  const counts = threads?.split(",").map((n) => wholeNumber("threads", n));
  for (const count of counts ?? []) checkThreads("threads", count);
  if (python !== undefined) await checkPython(python);
  const rows: BenchRow[] = [];
  for await (const row of runBench({
    ...(python === undefined ? {} : { python }),
    ...(only === undefined ? {} : { groups: ["matrix product", only] }),
    ...(blocks === undefined ? {} : { blocks: wholeNumber("blocks", blocks) }),
    ...(minutes === undefined ? {} : { minutes: wholeNumber("minutes", minutes) }),
    ...(counts === undefined ? {} : { threads: counts }),
    onProgress: (line) => terminal.err.write(`${line}\n`),
  })) {
    rows.push(row);
  }
  if (json) printJson(terminal, rows);
  else terminal.out(describe(rows));
}

/** A Python without torch leaves its columns out; one that is none was asked for by mistake. */
async function checkPython(path: string): Promise<void> {
  await promisify(execFile)(path, ["--version"]).catch((error: unknown) => {
    throw new InputError(
      `unknown interpreter ${path} (give a Python that has torch: --python .venv/bin/python)`,
      { cause: error },
    );
  });
}

/** The steps side by side, as docs/performance.md has them, and then one line per contender. */
function describe(rows: readonly BenchRow[]): string {
  return `${sideBySide(rows)}\n\n${details(rows)}`;
}

/** A table in Markdown: a line for each step and number of threads, a column for each contender. */
function sideBySide(rows: readonly BenchRow[]): string {
  const timed = rows.filter(({ group }) => group !== "matrix product");
  const contenders = [...new Set(timed.map(({ contender }) => contender))];
  const lines = new Map<string, BenchRow[]>();
  for (const row of timed) {
    const key = `${row.group} | ${row.threads}`;
    lines.set(key, [...(lines.get(key) ?? []), row]);
  }
  const cells = [...lines].map(([key, group]) => {
    const at = (name: string) => group.find(({ contender }) => contender === name);
    const least = Math.min(...group.map(({ median }) => median));
    const times = contenders.map((name) => {
      const row = at(name);
      if (row === undefined) return "";
      const median = row.median === least ? `**${digits(row.median)}**` : digits(row.median);
      return `${median} (${digits(row.least)}…${digits(row.largest)})`;
    });
    const [native, eager] = [at("native"), at("PyTorch eager")];
    const ratio =
      native === undefined || eager === undefined ? "" : digits(eager.median / native.median);
    return [...key.split(" | "), ...times, ratio];
  });
  const head = ["step", "threads", ...contenders, "eager / native"];
  const all = [head, ...cells];
  const widths = head.map((_, i) => Math.max(3, ...all.map((line) => (line[i] ?? "").length)));
  const line = (texts: readonly string[]) =>
    `| ${texts.map((text, i) => text.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return [line(head), rule, ...cells.map(line)].join("\n");
}

/** One line per contender; "of peak" is the share of the matrix product's speed in this run. */
function details(rows: readonly BenchRow[]): string {
  const peak = (threads: number) =>
    rows.find((row) => row.group === "matrix product" && row.threads === threads)?.gigaflops;
  const head = [
    "step",
    "contender",
    "threads",
    "ms",
    "cpu ms",
    "Gflop/s",
    "of peak",
    "MiB",
    "compile ms",
  ];
  return table([
    head,
    ...rows.map((row) => {
      const best = peak(row.threads);
      const share = best === undefined ? "" : `${Math.round((100 * row.gigaflops) / best)} %`;
      const { compileMilliseconds } = row;
      return [
        row.group,
        row.contender,
        String(row.threads),
        digits(row.median),
        digits(row.cpu),
        row.gigaflops === 0 ? "" : digits(row.gigaflops),
        row.gigaflops === 0 ? "" : share,
        String(Math.round(row.peakBytes / 2 ** 20)),
        compileMilliseconds === undefined ? "" : digits(compileMilliseconds),
      ];
    }),
  ]);
}

const digits = (value: number): string =>
  value >= 1000 ? String(Math.round(value)) : value.toPrecision(3);
