/** The demo's picture of a hallucinated minimizer, where everything can be seen: the ridge plane. */
import { certify } from "../../diagnostics/certificate/certify.ts";
import type { Certificate } from "../../diagnostics/certificate/certificate.ts";
import type { EngineChoice } from "../../engine/index.ts";
import { tensor } from "../../engine/tensor.ts";
import type { Figure } from "../../figures/figure.ts";
import { planeFigure, type PlanePath } from "../../figures/plane.ts";
import type { Machine } from "../../platform/machine.ts";
import { ridge } from "../../problems/planes/index.ts";
import type { Point } from "../../problems/problem.ts";
import { nodeSources } from "../../run/node-sources.ts";
import type { MetricRow } from "../../run/history.ts";
import { createRunner, type Runner } from "../../run/run.ts";
import { parseSpec } from "../../run/spec.ts";

const rho = 1.6;
/** One between the valleys, one beyond them: SAM leaves a valley behind to reach the other end. */
const starts: readonly Point[] = [
  [-0.1, 0.9],
  [1.5, -0.8],
];
/** Learning rate and length of all four runs: small steps, so that paths are smooth. */
const settings = { problem: "ridge", lr: 0.002, steps: 4000 };

export interface PlaneStory {
  readonly figure: Figure;
  /** Of the points where SAM ended, one per start. */
  readonly certificates: readonly Certificate[];
}

/** Train SAM and gradient descent on `ridge` from the same starts; certify where SAM ends. */
export async function planeStory(machine: Machine, engine: EngineChoice): Promise<PlaneStory> {
  const runner = createRunner({ machine, engine, sources: nodeSources() });
  const paths: PlanePath[] = [];
  const certificates: Certificate[] = [];
  try {
    for (const start of starts) {
      const descent = await followPath(runner, { ...settings, start, method: "gd" });
      paths.push({ ...descent, name: "gradient descent", dashed: true });
      const sam = await followPath(runner, { ...settings, start, rho });
      const point = { x: tensor(sam.end, [2], "float64") };
      const certificate = await certify({ problem: ridge(), point, rho, engine: { engine } });
      paths.push({ ...sam, name: "SAM", verdict: certificate.verdict.name });
      certificates.push(certificate);
    }
  } finally {
    await runner.dispose();
  }
  return {
    certificates,
    figure: planeFigure({
      title: "A minimizer that only SAM sees",
      plane: ridge().plane,
      rho,
      paths,
      view: [
        [-1.75, 1.75],
        [-1.5, 1.5],
      ],
    }),
  };
}

/** Every step of a run, where it ended, and what the screen says about it. */
async function followPath(runner: Runner, spec: object) {
  const rows: MetricRow[] = [];
  const outcome = await runner.run(parseSpec(spec), {
    recordEvery: 1,
    onChunk: (chunk) => void rows.push(...chunk.rows),
  });
  if (outcome.status === "interrupted") throw new Error("nothing can interrupt this run");
  const { last, result } = outcome;
  return { rows: [...rows, last], end: last.point as Point, verdict: result.verdict.name };
}
