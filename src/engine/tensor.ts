/** Host tensors and trees: what crosses the border between a program and the rest of the code. */

/**
 * Element types of tensors. Booleans are stored one per byte. `uint8` is for data: a step's inputs
 * and knobs can hold bytes, and the step sees them as int32.
 */
export type DType = "float32" | "float64" | "int32" | "uint32" | "uint8" | "bool";

/** Typed array that stores one {@link DType}. */
export type TensorData =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

/** Shape and element type of a tensor, without its numbers. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** A dense, row-major tensor in host memory. `data.length` is the product of `shape`. */
export interface Tensor extends TensorType {
  readonly data: TensorData;
}

/** A leaf, or arrays and string-keyed objects of trees. Keys are visited in sorted order, as in jax-js. */
export type Tree<Leaf> = Leaf | Tree<Leaf>[] | { [key: string]: Tree<Leaf> };

const storage = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  uint32: Uint32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** A type as messages write it: `float32[3, 2]`. */
export const printType = ({ dtype, shape }: TensorType): string => `${dtype}[${shape.join(", ")}]`;

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}

/**
 * Make a tensor from numbers, copying them.
 *
 * @throws {TypeError} when the count does not match `shape`.
 */
export function tensor(values: ArrayLike<number>, shape: readonly number[], dtype: DType): Tensor {
  if (values.length !== sizeOf(shape)) {
    throw new TypeError(
      `invalid tensor: ${values.length} values do not fill shape [${shape.join(", ")}]`,
    );
  }
  return { dtype, shape: [...shape], data: storage[dtype].from(values) };
}

/** A scalar tensor. */
export function scalarTensor(value: number, dtype: DType): Tensor {
  return tensor([value], [], dtype);
}

/** A tensor of zeros. */
export function zeros(shape: readonly number[], dtype: DType): Tensor {
  return { dtype, shape: [...shape], data: new storage[dtype](sizeOf(shape)) };
}

/** View `data` as a tensor without copying. The caller gives up `data`. */
export function wrap(data: TensorData, shape: readonly number[], dtype: DType): Tensor {
  if (!(data instanceof storage[dtype]) || data.length !== sizeOf(shape)) {
    throw new TypeError(`invalid tensor: data do not fit ${dtype}[${shape.join(", ")}]`);
  }
  return { dtype, shape: [...shape], data };
}

/** Convert a floating-point tensor to another floating-point type; integer tensors pass through. */
export function castFloat(value: Tensor, dtype: "float32" | "float64"): Tensor {
  if (value.dtype === dtype || !value.dtype.startsWith("float")) return value;
  return { dtype, shape: value.shape, data: storage[dtype].from(value.data) };
}

/** Whether a tree node is a tensor or a tensor type, that is, a leaf of a host tree. */
export function isTensorType(node: unknown): node is TensorType {
  return (
    typeof node === "object" &&
    node !== null &&
    "dtype" in node &&
    "shape" in node &&
    typeof node.dtype === "string"
  );
}

/** Leaves of a host tree with their paths (`"layer1/weight"`), in jax-js's order. */
export function leavesWithPaths<Leaf extends TensorType>(
  tree: Tree<Leaf>,
  path = "",
): [path: string, leaf: Leaf][] {
  if (isTensorType(tree)) return [[path, tree]];
  const join = (key: string | number) => (path === "" ? String(key) : `${path}/${key}`);
  if (Array.isArray(tree)) {
    return tree.flatMap((child, i) => leavesWithPaths(child, join(i)));
  }
  const record = tree;
  return Object.keys(record)
    .sort()
    .flatMap((key) => leavesWithPaths(record[key] as Tree<Leaf>, join(key)));
}

/** Leaves of a host tree in jax-js's order. */
export function leavesOf<Leaf extends TensorType>(tree: Tree<Leaf>): Leaf[] {
  return leavesWithPaths(tree).map(([, leaf]) => leaf);
}

/** A tree of the same structure with every leaf replaced. */
export function mapTree<A extends TensorType, B>(
  tree: Tree<A>,
  replace: (leaf: A, path: string) => B,
  path = "",
): Tree<B> {
  if (isTensorType(tree)) return replace(tree, path);
  const join = (key: string | number) => (path === "" ? String(key) : `${path}/${key}`);
  if (Array.isArray(tree)) {
    return tree.map((child, i) => mapTree(child, replace, join(i)));
  }
  const record = tree;
  return Object.fromEntries(
    Object.keys(record)
      .sort()
      .map((key) => [key, mapTree(record[key] as Tree<A>, replace, join(key))]),
  );
}

/** A tree of the structure of `like` with the given leaves, in jax-js's order. */
export function unflattenLike<Leaf>(like: Tree<TensorType>, leaves: readonly Leaf[]): Tree<Leaf> {
  let next = 0;
  const tree = mapTree(like, () => leaves[next++] as Leaf);
  if (next !== leaves.length) {
    throw new TypeError(`invalid tree: ${leaves.length} leaves for ${next} places`);
  }
  return tree;
}

/** Shape and dtype of every leaf. */
export function typesOf(tree: Tree<TensorType>): Tree<TensorType> {
  return mapTree(tree, ({ dtype, shape }) => ({ dtype, shape }));
}

/** Whether two trees have leaves at the same paths, of the same shapes and element types. */
export function sameTypes(a: Tree<TensorType>, b: Tree<TensorType>): boolean {
  const [left, right] = [leavesWithPaths(a), leavesWithPaths(b)];
  return (
    left.length === right.length &&
    left.every(([path, { dtype, shape }], i) => {
      const [otherPath, other] = right[i] ?? [];
      return path === otherPath && dtype === other?.dtype && String(shape) === String(other.shape);
    })
  );
}
