/**
 * Products with combinations of fixed matrices, as on a line or plane through weights:
 * A·(B₀ + c₁B₁ + c₂B₂) = A·B₀ + c₁(A·B₁) + c₂(A·B₂), where the products on the right are made once
 * and a step only adds them up. What a step adds to such a combination P, as SAM's ascent does, is a
 * product by itself: A·(P + R) = A·P + A·R, so that P is not needed.
 */
import { sameShape, type Node } from "../graph/graph.ts";
import { product } from "../graph/shapes.ts";
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

/** A·(P + R) where the step makes A·P as well, from products that are made once. */
interface Extended {
  /** A·P. */
  readonly known: Node;
  /** R, or its transpose where the product reads P + R transposed. */
  readonly rest: Node;
}

function extended(l: Lowering, { inputs: [a, b] }: Node): Extended | undefined {
  const isTurned = b.op === "transpose";
  const sum = isTurned ? b.inputs[0] : b;
  if (sum.op !== "add" || a.type.shape.length !== 2) return undefined;
  for (const [fixed, rest] of bothWays(sum)) {
    const known = l
      .productsOf(a)
      .find(({ inputs: [, other] }) =>
        isTurned ? other.op === "transpose" && other.inputs[0] === fixed : other === fixed,
      );
    const isWhole = sameShape(rest.type.shape, sum.type.shape);
    if (known !== undefined && isWhole && distributed(l, known)) return { known, rest };
  }
  return undefined;
}

/** Whether {@link lowerDistributed} takes this product. */
export const isDistributed = (l: Lowering, made: Node): boolean =>
  (distributed(l, made) ?? extended(l, made)) !== undefined;

/** The product as a sum of products of which those of fixed matrices are made once, if it is one. */
export function lowerDistributed(l: Lowering, made: Node, alpha: number): Node | undefined {
  const terms = distributed(l, made);
  if (terms !== undefined) return combination(l, made, terms, alpha);
  const found = alpha === 1 ? extended(l, made) : undefined;
  if (found === undefined) return undefined;
  return timesRest(l, made, found.rest, l.lower(found.known));
}

/**
 * Such a product plus a bias for each column, where the bias is a combination with the same numbers,
 * or one to which the step adds something as well: its terms go with those of the product.
 */
export function lowerDistributedAffine(l: Lowering, made: Node, bias: Node): Node | undefined {
  const terms = distributed(l, made);
  if (terms !== undefined) {
    const biases = alike(l, terms, bias);
    return biases && combination(l, made, terms, 1, biases);
  }
  const { known, rest } = extended(l, made) ?? {};
  if (known === undefined || rest === undefined || bias.op !== "add") return undefined;
  const knownTerms = distributed(l, known) ?? [];
  for (const [fixed, other] of bothWays(bias)) {
    const biases = alike(l, knownTerms, fixed);
    if (biases === undefined) continue;
    const before = combination(l, known, knownTerms, 1, biases);
    return l.op("Add", [before, timesRest(l, made, rest, l.lower(other))]);
  }
  return undefined;
}

const bothWays = ({ inputs: [a, b] }: Node): readonly (readonly [Node, Node])[] => [
  [a, b],
  [b, a],
];

/** What of `bias`, a combination of lists with the numbers of `terms`, goes with each term. */
function alike(
  l: Lowering,
  terms: readonly Term[],
  bias: Node,
): readonly (Node | undefined)[] | undefined {
  const lists = termsOf(l, bias) ?? [];
  const found = terms.map(({ factor }) => lists.find((list) => list.factor === factor)?.matrix);
  const areLists = lists.every(({ matrix }) => sameShape(matrix.type.shape, bias.type.shape));
  // Each goes with one term, and none is left over.
  const isClear = [terms, lists].every(
    (of) => new Set(of.map(({ factor }) => factor)).size === of.length,
  );
  const isAll = lists.length > 0 && found.filter((x) => x !== undefined).length === lists.length;
  return areLists && isClear && isAll && bias.type.shape.length === 1 ? found : undefined;
}

/** A·R + `summand`, with R as it lies in memory, which is often the other way round. */
function timesRest(l: Lowering, made: Node, rest: Node, summand: Node): Node {
  const [a, b] = made.inputs;
  const [bare, factor] = scaledByNumber(rest);
  const given = l.lower(bare);
  const other = b.op === "transpose" ? l.transpose(given, [1, 0]) : given;
  const isTurned = other.op === "Transpose";
  const matrix = isTurned ? other.inputs[0] : other;
  const scaled = factor === undefined ? matrix : l.op("Mul", [matrix, l.lower(factor)]);
  const attributes = { transA: 0, transB: isTurned ? 1 : 0, alpha: 1, beta: 1 };
  return l.op("Gemm", [l.lower(a), scaled, summand], attributes, made.type.dtype, made.type.shape);
}

/** `x` as a matrix times a number of the step's, if it is one. */
function scaledByNumber(x: Node): readonly [matrix: Node, factor?: Node] {
  const [first, second] = x.inputs;
  if (x.op !== "mul") return [x];
  if (second.type.shape.length === 0) return [first, second];
  return first.type.shape.length === 0 ? [second, first] : [x];
}

/** A·B₀ + c₁(A·B₁) + …: one product of the list (1, c₁, …) with the products made once, as rows. */
function combination(
  l: Lowering,
  made: Node,
  terms: readonly Term[],
  alpha: number,
  biases: readonly (Node | undefined)[] = [],
): Node {
  const [a, b] = made.inputs;
  const { dtype, shape } = made.type;
  const rows = terms.map(({ matrix }, i) => {
    const given = l.lower(matrix);
    const read =
      b.op === "transpose" ? l.transpose(given, b.attributes["perm"] as number[]) : given;
    const once = l.matmul(l.lower(a), read, { alpha });
    const bias = biases[i];
    const whole = bias === undefined ? once : l.op("Add", [once, l.lower(bias)]);
    return l.reshape(whole, [1, product(shape)]);
  });
  const factors = terms.map(({ factor }) =>
    factor === undefined ? l.constant([1], dtype, [1]) : l.reshape(l.lower(factor), [1]),
  );
  const list = l.reshape(l.concatenate(factors, 0), [1, terms.length]);
  return l.reshape(l.matmul(list, l.concatenate(rows, 0)), shape);
}
