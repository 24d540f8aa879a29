/** Smoothness of a loss around a point: where derivatives are those of one piece, and how near others are. */
import type { EngineOptions } from "../../engine/index.ts";
import { InputError } from "../../engine/errors.ts";
import type { Problem } from "../../problems/problem.ts";
import { along, type Vector } from "../algebra/vectors.ts";
import type { Derivatives } from "../point/derivatives.ts";
import { compileKinks } from "../point/kinks.ts";
import { samPoint } from "../point/sam-point.ts";
import type { VerdictName } from "../verdict.ts";
import type { Smoothness } from "./certificate.ts";

/** Where to look for kinks. */
export interface SmoothnessOptions {
  /** The loss that is certified. */
  readonly loss: Problem;
  readonly f: Derivatives;
  readonly x: Vector;
  /** x⁺, where its curvature is spoken of. */
  readonly ascentPoint: Vector | undefined;
  /** ρ; 0 for methods without an ascent. */
  readonly rho: number;
  /** Of norm 1: the copies are displaced along them … */
  readonly directions: readonly Vector[];
  /** … by so much. */
  readonly reach: number;
  readonly engine: EngineOptions;
}

/**
 * Count the pre-activations that are 0 at x or x⁺, and those that change sign between x and a displaced
 * copy, or between x⁺ and the copy's own ascent point: the most over all copies. `undefined` where the
 * loss tells of no kinks.
 */
export async function smoothnessAt(options: SmoothnessOptions): Promise<Smoothness | undefined> {
  const { loss, f, x, ascentPoint, rho, directions, reach, engine } = options;
  const kinks = await compileKinks(loss, { ...engine, block: f.blocks?.samples });
  if (kinks === undefined) return undefined;
  if (directions.length === 0) throw new InputError("missing directions (give at least one)");
  try {
    let withinReach = 0;
    let [units, atKink] = [0, 0];
    for (const direction of directions) {
      const copy = along(x, reach, direction);
      const seen = await kinks.count(x, copy);
      const above =
        ascentPoint && rho > 0
          ? await kinks.count(ascentPoint, (await samPoint(f, copy, rho)).ascentPoint)
          : undefined;
      ({ units } = seen);
      atKink = seen.atKink + (above?.atKink ?? 0);
      withinReach = Math.max(withinReach, seen.between + (above?.between ?? 0));
    }
    return {
      kind: "piecewise smooth",
      units,
      atKink,
      withinReach,
      reach,
      copies: directions.length,
    };
  } finally {
    await kinks.dispose();
  }
}

/** Verdicts that speak of curvature, and have no meaning at a kink. */
export const needsCurvature = (name: VerdictName): boolean =>
  [
    "minimizer",
    "saddle",
    "maximizer",
    "hallucinated-minimizer",
    "hallucinated-saddle",
    "hallucinated-maximizer",
    "trapped-at-saddle",
  ].includes(name);

/** What is said of kinks, in a sentence or two. */
export function describeSmoothness({
  units,
  atKink,
  withinReach,
  reach,
  copies,
}: Smoothness): string {
  const of = `of ${units} pre-activations`;
  if (atKink > 0) {
    return `The loss is piecewise smooth, and at a kink here: ${atKink} ${of} are 0 to rounding at x or x⁺, so that it has no Hessian.`;
  }
  const nearby =
    withinReach === 0
      ? `none ${of} changes sign on the way to ${copies} copies displaced by ${reach.toPrecision(2)}`
      : `up to ${withinReach} ${of} change sign on the way to ${copies} copies displaced by ${reach.toPrecision(2)}, beyond which other pieces begin`;
  return `The loss is piecewise smooth; derivatives are those of the piece at the point: ${nearby}.`;
}
