/**
 * The benchmark: engines and their peers timed side by side. Every contender is a process of its own, all
 * of one group are alive together, and blocks of steps alternate between them, so that whatever
 * else the machine does falls on all alike. Medians of blocks, with their spread.
 */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { MachineError } from "../engine/errors.ts";
import type { ContenderSpec } from "./contender.ts";
import { mlpOperations, type MlpSize } from "./workloads.ts";

export interface BenchOptions {
  /** A Python with torch, and jax if it has it; without one, only our engines are timed. */
  readonly python?: string;
  /** Names of the groups to time; default all. */
  readonly groups?: readonly string[];
  /** Numbers of threads to try; default 1 and all processors, at most 4. */
  readonly threads?: readonly number[];
  /** Blocks per contender; default 7. */
  readonly blocks?: number;
  /** Told what is being timed, in one line. */
  readonly onProgress?: (line: string) => void;
}

/** One line of the result. */
export interface BenchRow {
  readonly group: string;
  readonly contender: string;
  readonly threads: number;
  /** Milliseconds per step: median, least and largest of the blocks. */
  readonly median: number;
  readonly least: number;
  readonly largest: number;
  /** Of the matrix products in a step, in units of 10⁹ per second; 0 where not counted. */
  readonly gigaflops: number;
  readonly peakBytes: number;
  /** Time to compile, once the libraries are loaded; only for our engines. */
  readonly compileMilliseconds?: number;
  readonly version: string;
}

interface Contender {
  readonly name: string;
  readonly threads: number;
  readonly command: readonly string[];
  /** Processes that run at the same time; their mean counts. */
  readonly copies?: number;
}

interface Group {
  readonly name: string;
  /** Steps per block. */
  readonly steps: number;
  /** Floating-point operations in one step, 0 where nobody counted. */
  readonly operations: number;
  readonly contenders: (python: string | undefined, threads: readonly number[]) => Contender[];
}

const ours = (spec: ContenderSpec, name: string = spec.engine): Contender => ({
  name,
  threads: spec.threads,
  command: [
    process.execPath,
    fileURLToPath(
      new URL(import.meta.url.endsWith(".ts") ? "contender.ts" : "contender.js", import.meta.url),
    ),
    JSON.stringify(spec),
  ],
});

const peer = (
  python: string,
  script: string,
  name: string,
  threads: number,
  args: Record<string, number | boolean>,
): Contender => ({
  name,
  threads,
  command: [
    python,
    join(import.meta.dirname, "peers", script),
    ...Object.entries<number | boolean>({ ...args, threads }).flatMap(([flag, value]) =>
      typeof value === "boolean" ? [`--${flag}`] : [`--${flag}`, String(value)],
    ),
  ],
});

function mlpGroup(
  size: MlpSize,
  steps: number,
  { only, withJax = true }: { only?: "one thread" | "most threads"; withJax?: boolean } = {},
): Group {
  return {
    name: nameOf(size),
    steps,
    operations: mlpOperations(size),
    contenders: (python, given) => {
      const threads =
        only === "one thread" ? [1] : only === "most threads" ? given.slice(-1) : given;
      const workload = { kind: "mlp", ...size } as const;
      return [
        ...threads.map((n) => ours({ engine: "native", threads: n, workload })),
        ...(withJax ? [ours({ engine: "jax", threads: 1, workload })] : []),
        ...(python === undefined
          ? []
          : threads.flatMap((n) => [
              peer(python, "torch_mlp.py", "PyTorch eager", n, { ...size }),
              peer(python, "torch_mlp.py", "PyTorch compiled", n, { ...size, compile: true }),
              peer(python, "jax_mlp.py", "JAX jit", n, { ...size }),
            ])),
      ];
    },
  };
}

const nameOf = ({ batch, inputs, hidden }: MlpSize) => `${batch} × ${inputs} × ${hidden}`;

const side = 1024;

const small = { batch: 500, inputs: 196, hidden: 64 };

/** Everything that is timed, by increasing size. */
export const groups: readonly Group[] = [
  {
    name: "matrix product",
    steps: 3,
    operations: 2 * side ** 3,
    contenders: (_, threads) =>
      threads.map((n) =>
        ours({ engine: "native", threads: n, workload: { kind: "product", side } }),
      ),
  },
  mlpGroup({ batch: 2, inputs: 2, hidden: 4 }, 500, { only: "one thread" }),
  mlpGroup(small, 100),
  {
    name: `two runs of ${nameOf(small)} at once`,
    steps: 100,
    operations: 0,
    contenders: (python) =>
      [
        ours({ engine: "native", threads: 1, workload: { kind: "mlp", ...small } }),
        ...(python === undefined
          ? []
          : [peer(python, "torch_mlp.py", "PyTorch eager", 1, { ...small })]),
      ].map((contender) => ({ ...contender, copies: 2 })),
  },
  mlpGroup({ batch: 8192, inputs: 784, hidden: 128 }, 3),
  mlpGroup({ batch: 60_000, inputs: 784, hidden: 128 }, 1, {
    only: "most threads",
    withJax: false,
  }),
  {
    name: "residual network, batch 128",
    steps: 1,
    operations: 0,
    contenders: (python, threads) =>
      threads.flatMap((n) => [
        ours({
          engine: "native",
          threads: n,
          workload: { kind: "residual", batch: 128, steps: 1 },
        }),
        ...(python === undefined
          ? []
          : [
              peer(python, "torch_conv.py", "PyTorch eager", n, { batch: 128 }),
              peer(python, "torch_conv.py", "PyTorch compiled", n, { batch: 128, compile: true }),
            ]),
      ]),
  },
];

/** One thread, and as many as there are processors, up to four. */
const defaultThreads = [...new Set([1, Math.min(4, availableParallelism())])];

/** Time everything; rows come group by group. */
export async function* runBench({
  python,
  groups: wanted,
  threads = defaultThreads,
  blocks = 7,
  onProgress = () => {},
}: BenchOptions = {}): AsyncGenerator<BenchRow> {
  for (const group of groups) {
    if (wanted !== undefined && !wanted.includes(group.name)) continue;
    onProgress(`${group.name}: starting`);
    const started: Started[] = [];
    try {
      for (const contender of group.contenders(python, threads)) {
        try {
          started.push(await start(contender));
        } catch (error) {
          onProgress(`${group.name}: ${(error as Error).message}`);
        }
      }
      for (let block = 0; block < blocks; block++) {
        for (const contender of started) {
          onProgress(`${group.name}: block ${block + 1} of ${blocks}, ${contender.name}`);
          await measure(contender, group.steps);
        }
      }
      for (const contender of started) yield summarize(group, contender);
    } finally {
      for (const { processes } of started) for (const each of processes) each.end();
    }
  }
}

interface Started extends Contender {
  readonly processes: readonly Process[];
  readonly ready: { readonly version: string; readonly compileMilliseconds?: number };
  readonly times: number[];
  peakBytes: number;
}

async function start(contender: Contender): Promise<Started> {
  const processes = Array.from({ length: contender.copies ?? 1 }, () => new Process(contender));
  const [ready] = (await Promise.all(processes.map((each) => each.read()))) as [Started["ready"]];
  return { ...contender, processes, ready, times: [], peakBytes: 0 };
}

async function measure(contender: Started, steps: number): Promise<void> {
  const answers = (await Promise.all(
    contender.processes.map((each) => {
      each.write(`${steps}\n`);
      return each.read();
    }),
  )) as { milliseconds: number; peakBytes: number }[];
  const total = answers.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  contender.times.push(total / answers.length);
  contender.peakBytes = Math.max(...answers.map(({ peakBytes }) => peakBytes));
}

function summarize({ name, operations }: Group, contender: Started): BenchRow {
  const sorted = contender.times.toSorted((a, b) => a - b);
  const at = (i: number) => sorted[i] as number;
  const median = at(Math.floor(sorted.length / 2));
  const { compileMilliseconds, version } = contender.ready;
  return {
    group: name,
    contender: contender.name,
    threads: contender.threads,
    median,
    least: at(0),
    largest: at(sorted.length - 1),
    gigaflops: operations / median / 1e6,
    peakBytes: contender.peakBytes,
    ...(compileMilliseconds === undefined ? {} : { compileMilliseconds }),
    version,
  };
}

/** A contender's process and its lines. */
class Process {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #name: string;
  #complaint = "";

  constructor({ name, command: [program = "", ...args] }: Contender) {
    this.#name = name;
    this.#child = spawn(program, args);
    // A program that is not there ends the lines; read() says so.
    this.#child.on("error", ({ message }) => (this.#complaint = message));
    this.#child.stdin.on("error", () => {});
    this.#child.stderr.on("data", (text: Buffer) => (this.#complaint += text.toString()));
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  write(text: string): void {
    this.#child.stdin.write(text);
  }

  async read(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done !== true) return JSON.parse(value);
    const reason = this.#complaint.trim().split("\n").at(-1) ?? "it ended";
    throw new MachineError(`missing ${this.#name}: ${reason}`);
  }

  end(): void {
    this.#child.kill();
  }
}
