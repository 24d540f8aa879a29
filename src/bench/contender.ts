/**
 * A contender: a process that times one engine on one workload, so that contenders share nothing and each has
 * its own peak memory. It speaks the protocol of peers/protocol.py: a JSON line when
 * ready, then one for every line with a number of steps.
 *
 * Usage: node contender.ts '<JSON of ContenderSpec>'
 */
import { createInterface } from "node:readline";
import { compile } from "../engine/index.ts";
import type { EngineName } from "../engine/engines.ts";
import {
  graphNetwork,
  residual,
  transformer,
  type GraphSize,
  type ResidualSize,
  type TransformerSize,
} from "./networks.ts";
import { openRuns, type RunsSize } from "./runs.ts";
import { matrixProduct, mlpWorkload, type MlpSize, type Workload } from "./workloads.ts";

/** A network with its sizes. */
export type NetworkSize =
  | ({ readonly kind: "residual" } & ResidualSize)
  | TransformerSize
  | ({ readonly kind: "gcn" } & GraphSize);

/** What to time, on what. */
export interface ContenderSpec {
  readonly engine: EngineName;
  readonly threads: number;
  readonly workload:
    | ({ readonly kind: "mlp" } & MlpSize)
    | NetworkSize
    | { readonly kind: "product"; readonly side: number }
    | ({ readonly kind: "runs" } & RunsSize);
}

/** What is timed. */
export interface Timed {
  readonly compileMilliseconds: number;
  /** Part of the work that `run` does; default all of it. */
  readonly share?: number;
  run(steps: number): Promise<unknown>;
}

type StepSize = Exclude<ContenderSpec["workload"], { readonly kind: "runs" }>;

function makeWorkload(workload: StepSize): Workload {
  switch (workload.kind) {
    case "mlp":
      return mlpWorkload(workload);
    case "residual":
      return residual(workload);
    case "vit":
    case "gpt":
      return transformer(workload);
    case "gcn":
      return graphNetwork(workload);
    default:
      return matrixProduct(workload.side);
  }
}

const say = (message: object) => process.stdout.write(`${JSON.stringify(message)}\n`);

async function openSteps(
  workload: StepSize,
  { engine, threads }: ContenderSpec,
): Promise<Timed & { readonly firstCompileMilliseconds: number }> {
  const { definition, data } = makeWorkload(workload);
  const program = await compile(definition, { engine, threads });
  // A second compilation shows what the first one costs without loading the libraries.
  const again = await compile(definition, { engine, threads });
  await again.dispose();
  return {
    compileMilliseconds: again.compileMilliseconds,
    firstCompileMilliseconds: program.compileMilliseconds,
    run: (steps) => program.run({ ...data, steps, chunk: steps }),
  };
}

async function serve(spec: ContenderSpec): Promise<void> {
  const { workload, engine, threads } = spec;
  const timed =
    workload.kind === "runs"
      ? await openRuns(workload, engine, threads)
      : await openSteps(workload, spec);
  await timed.run("steps" in workload ? workload.steps : 1);
  say({ ...timed, version: process.version });
  const { share = 1 } = timed;
  for await (const line of createInterface({ input: process.stdin })) {
    const steps = Number(line);
    const began = performance.now();
    const before = process.cpuUsage();
    await timed.run(steps);
    const milliseconds = (performance.now() - began) / steps / share;
    const { user, system } = process.cpuUsage(before);
    const cpuMilliseconds = (user + system) / 1000 / steps / share;
    say({ milliseconds, cpuMilliseconds, peakBytes: process.resourceUsage().maxRSS * 1024 });
  }
}

const [, , argument] = process.argv;
if (argument !== undefined) await serve(JSON.parse(argument) as ContenderSpec);
