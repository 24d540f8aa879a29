/** Planes: functions of two variables with closed forms and known critical points. */
import { flag, unlessDefault } from "../../settings/fields.ts";
import { himmelblau, rosenbrock } from "./classics.ts";
import { planeEntry, type PlaneEntry } from "./plane.ts";
import { dome, quadratic, saddle } from "./quadratics.ts";
import { ridge } from "./ridge.ts";
import { ring } from "./ring.ts";
import { bump, cosine, wideNarrow } from "./wells.ts";

/** Every plane, by increasing difficulty. */
export const planeEntries = [
  planeEntry("quadratic", quadratic, "A bowl, ½(x₁² + 10 x₂²), made of two samples.", {
    separate: unlessDefault(
      flag(false, "keep the coordinates of the plane quadratic in two tensors"),
    ),
  }),
  planeEntry("saddle", saddle, "A saddle, ½(3x₁² − 2x₂²)."),
  planeEntry("dome", dome, "A maximizer without any minimizer, −½‖x‖²."),
  planeEntry(
    "cosine",
    cosine,
    "Equal basins side by side, −cos x₁ + ½x₂²: SAM with ρ = 4 hallucinates.",
  ),
  planeEntry(
    "wide-narrow",
    wideNarrow,
    "A wide basin beside a narrow well: a warm start saves SAM.",
  ),
  planeEntry("bump", bump, "A hole beside a hill: its hallucinated minimizers repel SAM."),
  planeEntry(
    "ridge",
    ridge,
    "Two valleys and a ridge: its hallucinated minimizers form a curve and attract SAM.",
  ),
  planeEntry("ring", ring, "A circle of maximizers around one minimizer and beside another."),
  planeEntry("rosenbrock", rosenbrock, "Rosenbrock's curved valley."),
  planeEntry(
    "himmelblau",
    himmelblau,
    "Himmelblau's function: four minimizers, four saddles, one maximizer.",
  ),
] as const;

/** Name of a plane. */
export type PlaneName = (typeof planeEntries)[number]["name"];

/** Every plane by name. */
export const planes = Object.fromEntries(
  planeEntries.map((entry) => [entry.name, entry]),
) as unknown as { readonly [Name in PlaneName]: PlaneEntry<Name> };

export { bump, cosine, dome, himmelblau, quadratic, ridge, ring, rosenbrock, saddle, wideNarrow };
export { findCritical } from "./critical.ts";
export { functionNames, parseExpression } from "./expression.ts";
export type { Expression } from "./expression.ts";
export { expression, expressionEntry } from "./typed.ts";
export type { ExpressionOptions } from "./typed.ts";
export { planeProblem } from "./plane.ts";
export type { PlaneDefinition, PlaneEntry, PlaneOptions, PlaneProblem } from "./plane.ts";
export type { QuadraticOptions } from "./quadratics.ts";
