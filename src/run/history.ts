/** The history of a run: few enough rows to store, evenly spread by rule. */
import { leavesOf, sizeOf, type Tensor, type Tree } from "../engine/tensor.ts";
import type { Point } from "../problems/problem.ts";
import type { Records } from "../sam/training/records.ts";

/** What the optimizer saw before update `step`; the last row of a run is what it ended with. */
export interface MetricRow {
  readonly step: number;
  readonly loss: number;
  readonly shiftedLoss: number;
  readonly gradNorm: number;
  readonly shiftedGradNorm: number;
  readonly cosine: number;
  /** x and x⁺; on planes only. */
  readonly point?: Point;
  readonly ascentPoint?: Point;
  /** Scalars particular to the method. */
  readonly details?: { readonly [name: string]: number };
}

/** The smallest power of two that makes at most `rows` rows of a run of `steps` steps. */
export const strideFor = (steps: number, rows: number): number =>
  2 ** Math.max(0, Math.ceil(Math.log2(steps / rows)));

/** The stride of a run unless it is told another: at most 1000 rows. */
export const defaultStride = (steps: number): number => strideFor(steps, 1000);

/** The rows of every `stride`-th step, counted from the start of the run. */
export function thin(records: Records, stride: number): MetricRow[] {
  const rows: MetricRow[] = [];
  const skipped = (stride - (records.first % stride)) % stride;
  for (let i = skipped; i < records.count; i += stride) rows.push(rowAt(records, i));
  return rows;
}

/** Entry i of the records as a row. */
export function rowAt(records: Records, i: number): MetricRow {
  const { point, ascentPoint, details } = records;
  const detailed = Object.entries(details);
  const at = (name: "loss" | "shiftedLoss" | "gradNorm" | "shiftedGradNorm" | "cosine") =>
    records[name][i] as number;
  return {
    step: records.first + i,
    loss: at("loss"),
    shiftedLoss: at("shiftedLoss"),
    gradNorm: at("gradNorm"),
    shiftedGradNorm: at("shiftedGradNorm"),
    cosine: at("cosine"),
    ...(point && { point: pointAt(point, i) }),
    ...(ascentPoint && { ascentPoint: pointAt(ascentPoint, i) }),
    ...(detailed.length > 0 && {
      details: Object.fromEntries(detailed.map(([name, data]) => [name, data[i] as number])),
    }),
  };
}

/** Both coordinates in step i, in one tensor or two. */
function pointAt(points: Tree<Tensor>, i: number): Point {
  const [x1, x2] = leavesOf(points).flatMap(({ data, shape }) => {
    const size = sizeOf(shape.slice(1));
    return Array.from(data.subarray(i * size, (i + 1) * size));
  });
  return [x1 as number, x2 as number];
}

/** What a run ended with. Numbers that do not exist or are not finite are `null`. */
export interface Final {
  /** Steps taken. */
  readonly step: number;
  /** What the method sees at the final parameters, on all training samples. */
  readonly loss: number | null;
  readonly shiftedLoss: number | null;
  readonly gradNorm: number | null;
  readonly shiftedGradNorm: number | null;
  /** ‖g⁺‖/‖g‖. */
  readonly gradRatio: number | null;
  /** f(x⁺) − f(x). */
  readonly lossGap: number | null;
  readonly cosine: number | null;
  /** Mean scores of the model: fractions classified correctly; where the problem has a score. */
  readonly trainAccuracy: number | null;
  readonly testAccuracy: number | null;
  /** Final parameters; on planes only. */
  readonly point: Point | null;
}

/** What a run ended with, from its last row and the scores of its model. */
export function finalOf(
  { step, loss, shiftedLoss, gradNorm, shiftedGradNorm, cosine, point }: MetricRow,
  trainAccuracy: number | null,
  testAccuracy: number | null,
): Final {
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  return {
    step,
    loss: finite(loss),
    shiftedLoss: finite(shiftedLoss),
    gradNorm: finite(gradNorm),
    shiftedGradNorm: finite(shiftedGradNorm),
    gradRatio: finite(shiftedGradNorm / gradNorm),
    lossGap: finite(shiftedLoss - loss),
    cosine: finite(cosine),
    trainAccuracy,
    testAccuracy,
    point: point ?? null,
  };
}
