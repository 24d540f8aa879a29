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
import { matrixProduct, mlpWorkload, residual, type MlpSize } from "./workloads.ts";

/** What to time, on what. */
export interface ContenderSpec {
  readonly engine: EngineName;
  readonly threads: number;
  readonly workload:
    | ({ readonly kind: "mlp" } & MlpSize)
    | { readonly kind: "residual"; readonly batch: number; readonly steps: number }
    | { readonly kind: "product"; readonly side: number };
}

function makeWorkload({ workload }: ContenderSpec) {
  if (workload.kind === "mlp") return mlpWorkload(workload);
  if (workload.kind === "residual") return residual(workload.batch, workload.steps);
  return matrixProduct(workload.side);
}

const say = (message: object) => process.stdout.write(`${JSON.stringify(message)}\n`);

async function serve(spec: ContenderSpec): Promise<void> {
  const { definition, data } = makeWorkload(spec);
  const { engine, threads } = spec;
  const program = await compile(definition, { engine, threads });
  // A second compilation shows what the first one costs without loading the libraries.
  const again = await compile(definition, { engine, threads });
  const { compileMilliseconds } = again;
  await again.dispose();
  const run = (steps: number) => program.run({ ...data, steps, chunk: steps });
  await run(spec.workload.kind === "residual" ? spec.workload.steps : 1);
  say({
    version: process.version,
    compileMilliseconds,
    firstCompileMilliseconds: program.compileMilliseconds,
  });
  for await (const line of createInterface({ input: process.stdin })) {
    const steps = Number(line);
    const began = performance.now();
    await run(steps);
    const milliseconds = (performance.now() - began) / steps;
    say({ milliseconds, peakBytes: process.resourceUsage().maxRSS * 1024 });
  }
}

const [, , argument] = process.argv;
if (argument !== undefined) await serve(JSON.parse(argument) as ContenderSpec);
