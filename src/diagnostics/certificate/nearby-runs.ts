/** Really running SAM beside a point. */
import type { EngineOptions } from "../../engine/index.ts";
import type { Problem } from "../../problems/problem.ts";
import { sgd } from "../../sam/parts/outer.ts";
import { sam } from "../../sam/methods/sam.ts";
import { compileTraining } from "../../sam/training/training.ts";
import type { NearbyRun } from "./certificate.ts";
import { flatten, unflatten } from "../point/derivatives.ts";
import { along, distance, type Vector } from "../algebra/vectors.ts";

/** A direction to displace a copy in. */
export interface Displacement {
  readonly name: string;
  /** Of norm 1. */
  readonly direction: Vector;
}

/** From where, and how, SAM runs beside a point. */
export interface NearbyOptions {
  /** With a loss that is the same in every pass, the one that is certified: see `fixedLoss`. */
  readonly problem: Problem;
  readonly x: Vector;
  readonly rho: number;
  readonly learningRate: number;
  readonly steps: number;
  /** How far copies are displaced. */
  readonly radius: number;
  readonly displacements: readonly Displacement[];
  readonly engine?: EngineOptions;
}

/** What a run of SAM looked like over its second half. */
export interface RunAverages {
  /** Geometric means. */
  readonly gradNorm: number;
  readonly shiftedGradNorm: number;
  readonly firstLoss: number;
  readonly lastLoss: number;
  /** Of cos(g, g⁺). */
  readonly cosine: number;
  /** ‖x_t − x_0‖ at the end. */
  readonly moved: number;
  readonly finite: boolean;
}

/** How far a run may end from the point, in units of where it began, and still count as near. */
const near = 3;

/**
 * Run plain SAM (no momentum, full batch) from displaced copies of a point. Distances are to where
 * the undisplaced copy is by then: a point that is not quite at rest drifts, which is not leaving.
 */
export async function runNearby(options: NearbyOptions): Promise<NearbyRun[]> {
  const { x, radius, displacements } = options;
  const runs: NearbyRun[] = [];
  await withSam(options, async (run) => {
    const reference = await run(x);
    const rest = reference.shiftedGradNorms.at(-1) ?? NaN;
    for (const { name, direction } of displacements) {
      const { end, shiftedGradNorms } = await run(along(x, radius, direction));
      const initial = shiftedGradNorms[0] ?? NaN;
      const final = shiftedGradNorms.at(-1) ?? NaN;
      const finalDistance = distance(end, reference.end);
      runs.push({
        start: name,
        outcome: !(finalDistance <= near * radius)
          ? "left"
          : final <= Math.max(0.1 * initial, 1.5 * rest)
            ? "returned"
            : "stayed",
        steps: options.steps,
        initialDistance: radius,
        finalDistance,
        initialShiftedGradNorm: initial,
        finalShiftedGradNorm: final,
      });
    }
  });
  return runs;
}

/** Run plain SAM from the point itself, and average over the second half. */
export async function runFrom(
  options: Omit<NearbyOptions, "radius" | "displacements">,
): Promise<RunAverages> {
  const { x } = options;
  return withSam(options, async (run) => {
    const { end, losses, gradNorms, shiftedGradNorms, cosines } = await run(x);
    const half = <T>(values: T[]) => values.slice(Math.floor(values.length / 2));
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const geometric = (values: number[]) => Math.exp(mean(half(values).map(Math.log)));
    const moved = distance(end, x);
    return {
      gradNorm: geometric(gradNorms),
      shiftedGradNorm: geometric(shiftedGradNorms),
      firstLoss: losses[0] ?? NaN,
      lastLoss: mean(half(losses)),
      cosine: mean(half(cosines)),
      moved,
      finite: Number.isFinite(moved) && losses.every(Number.isFinite),
    };
  });
}

interface Trace {
  readonly end: Vector;
  readonly losses: number[];
  readonly gradNorms: number[];
  readonly shiftedGradNorms: number[];
  readonly cosines: number[];
}

/** Compile SAM on a problem, use it, free it. */
async function withSam<T>(
  { problem, rho, learningRate, steps, engine }: Omit<NearbyOptions, "radius" | "displacements">,
  use: (run: (from: Vector) => Promise<Trace>) => Promise<T>,
): Promise<T> {
  const method = sam({ rho, outer: sgd({ learningRate }) });
  const training = await compileTraining({ problem, method, ...engine });
  const start = training.start();
  try {
    return await use(async (from) => {
      const trace: Omit<Trace, "end"> = {
        losses: [],
        gradNorms: [],
        shiftedGradNorms: [],
        cosines: [],
      };
      const { carry } = await training.run({
        steps,
        from: { step: 0, carry: { ...start.carry, params: unflatten(start.carry.params, from) } },
        onRecords({ loss, gradNorm, shiftedGradNorm, cosine }) {
          trace.losses.push(...loss);
          trace.gradNorms.push(...gradNorm);
          trace.shiftedGradNorms.push(...shiftedGradNorm);
          trace.cosines.push(...cosine);
        },
      });
      return { ...trace, end: flatten(carry.params) };
    });
  } finally {
    await training.dispose();
  }
}
