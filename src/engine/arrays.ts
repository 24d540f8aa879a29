/**
 * Arithmetic on traced arrays and trees of them. Everything here borrows: arguments stay
 * usable, so formulas can be written as formulas. That leaks references, which costs nothing
 * while tracing, where arrays hold no memory, and steps are only ever traced.
 */
import type { DType } from "@jax-js/jax";
import { lax, np } from "./jax-js.ts";
import type { ArrayTree } from "./program.ts";
import type { DType as HostDType } from "./tensor.ts";

/**
 * jax-js's names of our element types: the members of its enumeration are the names themselves.
 * It has no bytes; a step sees them as int32.
 */
export const jaxDType = {
  float32: "float32" as DType.Float32,
  float64: "float64" as DType.Float64,
  int32: "int32" as DType.Int32,
  uint32: "uint32" as DType.Uint32,
  uint8: "int32" as DType.Int32,
  bool: "bool" as DType.Bool,
} satisfies Record<HostDType, DType>;

/** Our name of a jax-js element type; the two enumerations agree where both have a name. */
export const hostDType = (dtype: string): HostDType => dtype as HostDType;

/**
 * A scalar of the dtype of `like`. Outside of a compiled step, JavaScript numbers mixed into
 * jax-js arithmetic are rounded to float32 even among float64 arrays (see precision.ts), so
 * constants that must be exact everywhere go through here.
 */
export function scalar(value: number, like: np.Array): np.Array {
  return np.array(value, { dtype: like.dtype });
}

/** a + b of arrays. */
export const add = (a: np.Array, b: np.Array): np.Array => np.add(a.ref, b.ref);
/** a − b of arrays. */
export const subtract = (a: np.Array, b: np.Array): np.Array => np.subtract(a.ref, b.ref);
/** a·b of arrays, element by element. */
export const multiply = (a: np.Array, b: np.Array): np.Array => np.multiply(a.ref, b.ref);
/** a/b of arrays, element by element. */
export const divide = (a: np.Array, b: np.Array): np.Array => np.divide(a.ref, b.ref);
/** a² of an array, element by element. */
export const square = (a: np.Array): np.Array => np.multiply(a.ref, a.ref);
/** √a of an array, element by element. */
export const sqrt = (a: np.Array): np.Array => np.sqrt(a.ref);
/** `a` where `on` holds, else `b`, element by element. */
export const select = (on: np.Array, a: np.Array, b: np.Array): np.Array =>
  np.where(on.ref, a.ref, b.ref);

/** Mean over all elements, exact in float64 (eagerly, `np.mean` rounds 1/n to float32). */
export function mean(a: np.Array): np.Array {
  return np.multiply(np.sum(a.ref), scalar(1 / Math.max(1, a.size), a));
}

/** Whether a tree node is an array or tracer. */
const isArray = (node: ArrayTree): node is np.Array =>
  !Array.isArray(node) && Object.getPrototypeOf(node) !== Object.prototype;

/** Leaves of a tree of arrays, keys in sorted order as in host trees. */
export function leaves(node: ArrayTree): np.Array[] {
  if (isArray(node)) return [node];
  if (Array.isArray(node)) return node.flatMap(leaves);
  return Object.keys(node)
    .sort()
    .flatMap((key) => leaves(node[key] as ArrayTree));
}

/**
 * Combine trees of the same structure leaf by leaf, matching keys by name (jax-js's own
 * `tree.map` matches them by order). `combine` borrows.
 */
export function mapTrees(
  combine: (...leaves: np.Array[]) => np.Array,
  first: ArrayTree,
  ...rest: ArrayTree[]
): ArrayTree {
  if (isArray(first)) return combine(first, ...(rest as np.Array[]));
  const child = (key: string | number) => (node: ArrayTree) =>
    (node as { [key: string | number]: ArrayTree })[key] as ArrayTree;
  if (Array.isArray(first)) {
    return first.map((node, i) => mapTrees(combine, node, ...rest.map(child(i))));
  }
  return Object.fromEntries(
    Object.entries(first).map(([key, node]) => [
      key,
      mapTrees(combine, node, ...rest.map(child(key))),
    ]),
  );
}

/** Replace every leaf, told its path (`"layers/0/bias"`). `replace` borrows. */
export function mapWithPaths(
  tree: ArrayTree,
  replace: (leaf: np.Array, path: string) => np.Array,
  path = "",
): ArrayTree {
  if (isArray(tree)) return replace(tree, path);
  const at = (key: string | number) => (path === "" ? String(key) : `${path}/${key}`);
  if (Array.isArray(tree)) return tree.map((node, i) => mapWithPaths(node, replace, at(i)));
  return Object.fromEntries(
    Object.entries(tree).map(([key, node]) => [key, mapWithPaths(node, replace, at(key))]),
  );
}

/** A second reference to every leaf, for calls that consume. */
export const share = (t: ArrayTree): ArrayTree => mapTrees((x) => x.ref, t);

/** ⟨a, b⟩ over all leaves: a scalar. */
export function dot(a: ArrayTree, b: ArrayTree): np.Array {
  const right = leaves(b);
  const products = leaves(a).map((x, i) => np.sum(multiply(x, right[i] as np.Array)));
  return products.reduce((sum, product) => np.add(sum, product));
}

/** ‖a‖² over all leaves: a scalar. */
export const squaredNorm = (a: ArrayTree): np.Array => dot(a, a);

/** ‖a‖ over all leaves, the Euclidean norm: a scalar. */
export const norm = (a: ArrayTree): np.Array => np.sqrt(squaredNorm(a));

/** s·a for a scalar s. */
export const scale = (s: np.Array, a: ArrayTree): ArrayTree => mapTrees((x) => multiply(x, s), a);

/** a + b, leaf by leaf. */
export const addTrees = (a: ArrayTree, b: ArrayTree): ArrayTree => mapTrees(add, a, b);

/** a − b, leaf by leaf. */
export const subtractTrees = (a: ArrayTree, b: ArrayTree): ArrayTree => mapTrees(subtract, a, b);

/** x + s·d for a scalar s. */
export const moveAlong = (x: ArrayTree, s: np.Array, d: ArrayTree): ArrayTree =>
  mapTrees((xi, di) => np.add(xi.ref, multiply(di, s)), x, d);

/**
 * `a` where the scalar `on` holds, else `b`. The native engine turns this into a branch:
 * work that only the untaken side needs is not done.
 */
export const selectTree = (on: np.Array, a: ArrayTree, b: ArrayTree): ArrayTree =>
  mapTrees((x, y) => select(on, x, y), a, b);

/** A tree of zeros like `a`. */
export const zerosLike = (a: ArrayTree): ArrayTree => mapTrees((x) => np.zerosLike(x.ref), a);

/** Treat `a` as a constant when differentiating. */
export const stopGradient = (a: ArrayTree): ArrayTree =>
  mapTrees((x) => lax.stopGradient(x.ref), a);
