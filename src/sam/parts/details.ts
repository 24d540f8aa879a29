/** Details of evidence, where a step has two ways to go. */
import { scalar } from "../../engine/arrays.ts";
import type { Evidence } from "../contract/method.ts";

/** Give both sides the details of either; what a side did not report is NaN. */
export function alignDetails<T extends { readonly evidence: Evidence }>(a: T, b: T): [T, T] {
  const names = [a, b].flatMap(({ evidence }) => Object.keys(evidence.details ?? {}));
  const padded = (result: T): T => {
    const { evidence } = result;
    const missing = scalar(NaN, evidence.loss);
    const all = names.map((name) => [name, evidence.details?.[name] ?? missing] as const);
    const directionNorm = evidence.directionNorm ?? evidence.shiftedGradNorm;
    const details = Object.fromEntries(all);
    return { ...result, evidence: { ...evidence, directionNorm, details } };
  };
  return [padded(a), padded(b)];
}
