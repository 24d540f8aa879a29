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
import type { ContenderSpec, NetworkSize } from "./contender.ts";
import { mlpOperations, type MlpSize } from "./workloads.ts";

export interface BenchOptions {
  /** A Python with torch, and jax if it has it; without one, only our engines are timed. */
  readonly python?: string;
  /** Names of the groups to time; default all. */
  readonly groups?: readonly string[];
  /** Numbers of threads to try; default 1 and all processors, at most 4. */
  readonly threads?: readonly number[];
  /** Blocks per contender, fewer where time is short; default 7. */
  readonly blocks?: number;
  /** Minutes for everything, shared by the groups; default 8. */
  readonly minutes?: number;
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
  /** Least time of the processor, all threads together: what other programs disturb least. */
  readonly cpu: number;
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

type PeerArgument = number | boolean | string | readonly number[] | undefined;

const peer = (
  python: string,
  script: string,
  name: string,
  threads: number,
  args: Readonly<Record<string, PeerArgument>>,
): Contender => ({
  name,
  threads,
  command: [
    python,
    join(import.meta.dirname, "peers", script),
    ...Object.entries<PeerArgument>({ ...args, threads }).flatMap(([flag, value]) => {
      if (value === undefined || value === false) return [];
      return value === true ? [`--${flag}`] : [`--${flag}`, String(value)];
    }),
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

/** Our native engine and PyTorch, on every number of threads. */
function networkGroup(
  name: string,
  workload: NetworkSize,
  { steps = 1, compiled = false }: { steps?: number; compiled?: boolean } = {},
): Group {
  const sizes = { ...workload, steps: undefined };
  return {
    name,
    steps,
    operations: 0,
    contenders: (python, threads) =>
      threads.flatMap((n) => [
        ours({ engine: "native", threads: n, workload }),
        ...(python === undefined
          ? []
          : [
              peer(python, "torch_networks.py", "PyTorch eager", n, sizes),
              ...(compiled
                ? [
                    peer(python, "torch_networks.py", "PyTorch compiled", n, {
                      ...sizes,
                      compile: true,
                    }),
                  ]
                : []),
            ]),
      ]),
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
  {
    name: "64 runs of the regression network",
    steps: 5000,
    operations: 0,
    contenders: () =>
      ([true, false] as const).map((sideBySide) =>
        ours(
          { engine: "native", threads: 1, workload: { kind: "runs", runs: 64, sideBySide } },
          sideBySide ? "native" : "native, one by one",
        ),
      ),
  },
  mlpGroup({ batch: 8192, inputs: 784, hidden: 128 }, 3),
  mlpGroup({ batch: 60_000, inputs: 784, hidden: 128 }, 1, {
    only: "most threads",
    withJax: false,
  }),
  networkGroup(
    "residual network, batch 128",
    { kind: "residual", batch: 128, widths: [16, 32, 64], depth: 1, steps: 1 },
    { compiled: true },
  ),
  networkGroup("ResNet-18, quarter width, batch 128", {
    kind: "residual",
    batch: 128,
    widths: [16, 32, 64, 128],
    depth: 2,
    normalSkip: true,
    steps: 1,
  }),
  networkGroup("ResNet-18, batch 32", {
    kind: "residual",
    batch: 32,
    widths: [64, 128, 256, 512],
    depth: 2,
    normalSkip: true,
    steps: 1,
  }),
  networkGroup("ViT, 64 tokens, batch 64", {
    kind: "vit",
    batch: 64,
    tokens: 64,
    width: 128,
    depth: 4,
    heads: 4,
    steps: 1,
  }),
  networkGroup("GPT, 128 characters, batch 16", {
    kind: "gpt",
    batch: 16,
    tokens: 128,
    width: 128,
    depth: 4,
    heads: 4,
    steps: 1,
  }),
  networkGroup(
    "GCN, 2708 nodes, 13264 edges",
    { kind: "gcn", nodes: 2708, features: 1433, hidden: 16, edges: 13_264 - 2708 },
    { steps: 10 },
  ),
];

/** One thread, and as many as there are processors, up to four. */
const defaultThreads = [...new Set([1, Math.min(4, availableParallelism())])];

/** Time everything; rows come group by group. */
export async function* runBench({
  python,
  groups: wanted,
  threads = defaultThreads,
  blocks = 7,
  minutes = 8,
  onProgress = () => {},
}: BenchOptions = {}): AsyncGenerator<BenchRow> {
  const end = performance.now() + 60_000 * minutes;
  const chosen = groups.filter(({ name }) => wanted === undefined || wanted.includes(name));
  for (const [i, group] of chosen.entries()) {
    // What one group leaves of its share goes to those after it.
    const share = Math.max(0, end - performance.now()) / (chosen.length - i);
    const groupEnd = performance.now() + share;
    onProgress(`${group.name}: starting`);
    const started: Started[] = [];
    try {
      // At the same time: most of a start is compiling and importing, which is not timed.
      const starts = group.contenders(python, threads).map((each) => start(each, share));
      for (const result of await Promise.allSettled(starts)) {
        if (result.status === "fulfilled") started.push(result.value);
        else onProgress(`${group.name}: ${(result.reason as Error).message}`);
      }
      for (let block = 0; block < blocks; block++) {
        if (block > 0 && performance.now() > groupEnd) break;
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
  readonly cpuTimes: number[];
  peakBytes: number;
}

/** @param patience milliseconds until a contender that is not ready is left out. */
async function start(contender: Contender, patience: number): Promise<Started> {
  const processes = Array.from({ length: contender.copies ?? 1 }, () => new Process(contender));
  const impatient = setTimeout(() => {
    for (const each of processes) each.end(`not ready within ${Math.round(patience / 1000)} s`);
  }, patience);
  try {
    const [ready] = (await Promise.all(processes.map((each) => each.read()))) as [Started["ready"]];
    return { ...contender, processes, ready, times: [], cpuTimes: [], peakBytes: 0 };
  } catch (error) {
    for (const each of processes) each.end();
    throw error;
  } finally {
    clearTimeout(impatient);
  }
}

async function measure(contender: Started, steps: number): Promise<void> {
  const answers = (await Promise.all(
    contender.processes.map((each) => {
      each.write(`${steps}\n`);
      return each.read();
    }),
  )) as { milliseconds: number; cpuMilliseconds: number; peakBytes: number }[];
  const mean = (of: (answer: (typeof answers)[number]) => number) =>
    answers.reduce((sum, answer) => sum + of(answer), 0) / answers.length;
  contender.times.push(mean((answer) => answer.milliseconds));
  contender.cpuTimes.push(mean((answer) => answer.cpuMilliseconds));
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
    cpu: Math.min(...contender.cpuTimes),
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

  /** @param reason what {@link read} then complains of. */
  end(reason?: string): void {
    if (reason !== undefined) this.#complaint = reason;
    this.#child.kill();
  }
}
