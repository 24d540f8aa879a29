/** Branches of hallucinated points that were followed in ρ: where one is at a radius. */
import type { Point } from "lucid-sam/problems";
import type { FollowedBranch } from "./protocol.ts";

/** The places of a branch at a ρ: between points that enclose it, as often as the branch passes it. */
export function placesAt({ points }: FollowedBranch, rho: number): Point[] {
  return points.flatMap((from, i): Point[] => {
    const to = points[i + 1];
    if (to === undefined || (from.rho - rho) * (to.rho - rho) > 0) return [];
    const part = (rho - from.rho) / (to.rho - from.rho || 1);
    return [[from.x[0] + part * (to.x[0] - from.x[0]), from.x[1] + part * (to.x[1] - from.x[1])]];
  });
}
