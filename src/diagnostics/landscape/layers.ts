/** Layers of a landscape: what is known at each of its places. */

/**
 * What is known at a place p: f(p), f(p⁺), ‖∇f(p)‖, ‖∇f(p⁺)‖, and the cosine between the two
 * gradients, with p⁺ = p + ρ∇f(p)/‖∇f(p)‖.
 */
export const layers = ["loss", "shiftedLoss", "gradNorm", "shiftedGradNorm", "cosine"] as const;
/** Name of a layer. */
export type Layer = (typeof layers)[number];
