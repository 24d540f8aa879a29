/**
 * Products with combinations of fixed matrices, as on a line or plane through weights:
 * A·(B₀ + c₁B₁ + c₂B₂) = A·B₀ + c₁(A·B₁) + c₂(A·B₂), where the products on the right are made once
 * and a step only adds them up.
 */
import { sameShape, type Node } from "../graph/graph.ts";
import type { Lowering } from "./lowering.ts";

/** A fixed matrix, and the number by which a step multiplies it; none is 1. */
interface Term {
  readonly matrix: Node;
  readonly factor?: Node;
}

/** Sums of more terms are left alone. */
const mostTerms = 8;

/** `x` as a sum of fixed matrices times numbers that change, if it is one. */
function termsOf(l: Lowering, x: Node): readonly Term[] | undefined {
  if (l.isInvariant(x)) return [{ matrix: x }];
  const [first, second] = x.inputs;
  if (x.op === "add") {
    const before = termsOf(l, first);
    const after = before && termsOf(l, second);
    return after && before.length + after.length <= mostTerms ? [...before, ...after] : undefined;
  }
  if (x.op !== "mul") return undefined;
  const [matrix, factor] = l.isInvariant(first) ? [first, second] : [second, first];
  return l.isInvariant(matrix) && factor.type.shape.length === 0 ? [{ matrix, factor }] : undefined;
}

/** The terms of a product of a fixed matrix with such a sum, where adding up takes less than multiplying. */
function distributed(l: Lowering, { inputs: [a, b] }: Node): readonly Term[] | undefined {
  if (!l.isInvariant(a) || l.isInvariant(b)) return undefined;
  const sum = b.op === "transpose" ? b.inputs[0] : b;
  const terms = termsOf(l, sum) ?? [];
  const areWhole = terms.every(({ matrix }) => sameShape(matrix.type.shape, sum.type.shape));
  // Two passes over the result per term, against as many multiplications as `a` has columns.
  const isLess = (a.type.shape.at(-1) ?? 0) >= 16 * terms.length;
  return terms.length > 0 && areWhole && isLess ? terms : undefined;
}

/** Whether {@link lowerDistributed} takes this product. */
export const isDistributed = (l: Lowering, product: Node): boolean =>
  distributed(l, product) !== undefined;

/** The product as a sum of products that are made once, if it is one. */
export function lowerDistributed(l: Lowering, product: Node, alpha: number): Node | undefined {
  const [a, b] = product.inputs;
  return distributed(l, product)
    ?.map(({ matrix, factor }) => {
      const given = l.lower(matrix);
      const read =
        b.op === "transpose" ? l.transpose(given, b.attributes["perm"] as number[]) : given;
      const once = l.matmul(l.lower(a), read, { alpha });
      return factor === undefined ? once : l.op("Mul", [once, l.lower(factor)]);
    })
    .reduce((sum, term) => l.op("Add", [sum, term]));
}
