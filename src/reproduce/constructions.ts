/** Figures 2 and 3: how a hallucinated point is built, drawn from real numbers. */
import { rounded } from "../engine/digits.ts";
import { construct } from "../diagnostics/search/construction.ts";
import { searchSphere } from "../diagnostics/search/sphere.ts";
import { planeDerivatives } from "../diagnostics/point/derivatives.ts";
import { constructionFigure } from "../figures/construction.ts";
import { bump, wideNarrow } from "../problems/planes/index.ts";
import type { Plane, Point } from "../problems/problem.ts";
import type { Recipe } from "./recipe.ts";

/** The critical point of a kind; where there are several, the one with the lowest value. */
function critical(plane: Plane, kind: "minimizer" | "maximizer"): Point {
  const points = plane.critical.flatMap((set) => (set.kind === kind ? set.points : []));
  const [lowest] = points.toSorted((a, b) => plane.value(a) - plane.value(b));
  if (lowest === undefined) throw new Error(`the plane has no ${kind}`);
  return lowest;
}

/** `ρ = 2.5, ρ/‖x‖ = 0.74` */
const radiusAt = (rho: number, x: Point): string =>
  `ρ = ${rounded(rho, 4)}, ρ/‖x‖ = ${rounded(rho / Math.hypot(...x), 2)}`;

export const constructions: Recipe = {
  figures: [2, 3],
  title: "How a hallucinated point is built",
  paper:
    "Sketches of Theorem 2.1: around an isolated maximizer, the point of a level set farthest from a minimizer has that minimizer as its ascent point.",
  ours: "Left, the theorem's construction on bump, with real numbers. Right, another one on wide-narrow: a constrained minimum of the loss on the sphere of radius ρ around a minimizer.",
  look: "Both points have g⁺ = 0. The left one pushes SAM away (M has a negative eigenvalue there), the right one draws it in. Networks with an output bias have no local maximizers at all (docs/output-bias.md), so for them only the right one can occur.",
  seconds: { quick: 2, standard: 2, paper: 2 },
  async make() {
    const hill = bump().plane;
    const epsilon = 0.05;
    const maximizer = critical(hill, "maximizer");
    const built = construct({
      plane: hill,
      maximizer,
      minimizer: critical(hill, "minimizer"),
      epsilon,
    });
    const wells = wideNarrow().plane;
    const center = critical(wells, "minimizer");
    const rho = 2.5;
    const search = await searchSphere({
      f: planeDerivatives(wells),
      center: Float64Array.from(center),
      rho,
    });
    const [found] = search.hallucinated;
    if (found === undefined) throw new Error("wide-narrow has lost its hallucinated minimizer");
    const x: Point = [found.x[0] as number, found.x[1] as number];
    const numbers = [
      {
        construction: "theorem 2.1",
        rho: built.rho,
        relativeRho: built.rho / Math.hypot(...built.x),
        x1: built.x[0],
        x2: built.x[1],
        error: built.error,
      },
      {
        construction: "sphere",
        rho,
        relativeRho: rho / Math.hypot(...x),
        x1: x[0],
        x2: x[1],
        error: found.angle,
      },
    ];
    return [
      {
        name: "figure-2",
        figure: constructionFigure("How a hallucinated point is built", [
          {
            words: `Theorem 2.1 on bump, ${radiusAt(built.rho, built.x)}: it repels`,
            plane: hill,
            view: [
              [-1, 3.5],
              [-1.85, 1.85],
            ],
            x: built.x,
            center: built.ascentPoint,
            attracts: false,
            levelSet: { level: built.level, around: maximizer, reach: 1 },
          },
          {
            words: `Sphere on wide-narrow, ${radiusAt(rho, x)}: it attracts`,
            plane: wells,
            view: [
              [1.5, 8],
              [-2.66, 2.66],
            ],
            x,
            center,
            attracts: true,
            sphere: true,
          },
        ]),
        numbers,
        spec: { planes: ["bump", "wide-narrow"], epsilon, rho: [built.rho, rho] },
        caption: `ε = ${epsilon} below the maximum. The ascent points miss their minimizers by ${built.error.toExponential(1)} and ${(found.angle * rho).toExponential(1)}.`,
      },
    ];
  },
};
