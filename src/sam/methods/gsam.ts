/** GSAM: descend the perturbed loss and, across it, the gap to the loss. */
import { np } from "../../engine/jax-js.ts";
import {
  dot,
  moveAlong,
  norm,
  scalar,
  scale,
  select,
  squaredNorm,
  subtractTrees,
} from "../../engine/arrays.ts";
import { choice, number, schedule } from "../../settings/fields.ts";
import { defineMethod, fixedLength } from "../define.ts";
import { normalized, quotient } from "../parts/ascent.ts";
import { ascending, type SamOptions } from "../parts/ascending.ts";

/** What GSAM is given. */
export interface GsamOptions extends Omit<SamOptions, "groups"> {
  /** α ≥ 0, weight of the second part. At 0 `perturbed` is SAM and `plain` is descent. */
  readonly alpha?: number | undefined;
  /** Which loss is followed. */
  readonly minimize?: "perturbed" | "plain" | undefined;
}

/**
 * With g = ∇f(x), p = ∇f(x⁺), u = g/‖g‖   (Zhuang et al. 2022):
 * - `perturbed`: v = p − α (g − (g·p/‖p‖²) p), the part of g across p taken out;
 * - `plain`: v = g + α (p − (p·u) u), the part of p across g added. v = 0 implies g = 0.
 *
 * Where p = 0 there is no direction across it, and `perturbed` stands still.
 */
export const gsam = defineMethod<GsamOptions>({
  name: "gsam",
  aliases: ["surrogate-gap-sam"],
  title: "Surrogate gap guided SAM",
  formula: "p = ∇f(x⁺), g⊥ = g − (g·p/‖p‖²)p;  x ← outer(x, p − αg⊥)",
  state: "none",
  evaluations: 2,
  hallucination: {
    possible: "conditional",
    why: `p and g⊥ would have to vanish together, but iterates hover around such points, and in one dimension g⊥ = 0; with minimize=plain impossible. ${fixedLength}`,
  },
  options: {
    rho: schedule(
      0.05,
      "ρ; the paper ties it to the learning rate: give it a schedule of the same form, such as cosine(0.6, 0.1)",
    ),
    alpha: number(0.4, "α, weight of the second part (PyTorch example 0.4; ViT 0.6)", { min: 0 }),
    minimize: choice(
      ["perturbed", "plain"],
      "perturbed",
      "the loss that is followed; plain is official minimize_fp=False",
    ),
  },
  citation: "Zhuang et al., ICLR 2022, arXiv 2203.08065",
  elsewhere: {
    "juntang-zhuang/GSAM": "GSAM",
    "google-research/big_vision": "gsam_gradient",
    pytorch_optimizer: "GSAM",
  },
  differences: [
    "Where ∇f(x⁺) = 0 the step is 0; PyTorch code then steps uphill along −αg, JAX code gives NaN.",
    "ρ follows a schedule of its own instead of being computed from the learning rate.",
    "Not adaptive: the public adaptive variants differ from each other and from ASAM.",
  ],
  build: ({ rho, alpha, minimize, outer }) =>
    ascending({
      name: "gsam",
      ascent: normalized({ rho }),
      outer,
      follow({ at, shifted }) {
        const [g, p] = [at.gradient, shifted.gradient];
        const [followed, other] = minimize === "perturbed" ? [p, g] : [g, p];
        const along = scale(quotient(dot(g, p), squaredNorm(followed)), followed);
        const across = subtractTrees(other, along);
        const weight = scalar(minimize === "perturbed" ? -alpha : alpha, at.loss);
        const length = norm(p);
        const zero = scalar(0, length);
        const applied =
          minimize === "perturbed" ? select(np.greater(length.ref, zero), weight, zero) : weight;
        return {
          direction: moveAlong(followed, applied, across),
          details: { acrossNorm: norm(across) },
        };
      },
    }),
});
