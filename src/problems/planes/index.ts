/** Functions of two variables with closed forms and known critical points. */
import { himmelblau, rosenbrock } from "./classics.ts";
import type { PlaneOptions, PlaneProblem } from "./plane.ts";
import { dome, quadratic, saddle } from "./quadratics.ts";
import { ridge } from "./ridge.ts";
import { ring } from "./ring.ts";
import { bump, cosine, wideNarrow } from "./wells.ts";

/** A plane that can be asked for by name. */
export interface PlaneEntry {
  readonly create: (options?: PlaneOptions) => PlaneProblem;
  /** One sentence. */
  readonly description: string;
}

/** Every plane by name. */
export const planes = {
  quadratic: {
    create: quadratic,
    description: "A bowl, ½(x₁² + 10 x₂²), made of two samples.",
  },
  saddle: { create: saddle, description: "A saddle, ½(3x₁² − 2x₂²)." },
  dome: { create: dome, description: "A maximizer without any minimizer, −½‖x‖²." },
  cosine: {
    create: cosine,
    description: "Equal basins side by side, −cos x₁ + ½x₂²: SAM with ρ = 4 hallucinates.",
  },
  "wide-narrow": {
    create: wideNarrow,
    description: "A wide basin beside a narrow well: a warm start saves SAM.",
  },
  bump: {
    create: bump,
    description: "A hole beside a hill: its hallucinated minimizers repel SAM.",
  },
  ridge: {
    create: ridge,
    description:
      "Two valleys and a ridge: its hallucinated minimizers form a curve and attract SAM.",
  },
  ring: {
    create: ring,
    description: "A circle of maximizers around one minimizer and beside another.",
  },
  rosenbrock: { create: rosenbrock, description: "Rosenbrock's curved valley." },
  himmelblau: {
    create: himmelblau,
    description: "Himmelblau's function: four minimizers, four saddles, one maximizer.",
  },
} as const satisfies Record<string, PlaneEntry>;

/** A key of {@link planes}. */
export type PlaneName = keyof typeof planes;

export { bump, cosine, dome, himmelblau, quadratic, ridge, ring, rosenbrock, saddle, wideNarrow };
export { planeProblem } from "./plane.ts";
export type { PlaneDefinition, PlaneOptions, PlaneProblem } from "./plane.ts";
export type { QuadraticOptions } from "./quadratics.ts";
