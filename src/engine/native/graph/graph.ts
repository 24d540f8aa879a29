/**
 * A dataflow graph of pure, typed operations in which equal expressions are one node.
 * The compiler uses it twice: for the step in the compiler's own operations (lower case,
 * `matmul`, `where`) and, after lowering, in ONNX operators (`MatMul`, `Where`).
 */
import type { DType, TensorData } from "../../tensor.ts";

/** Element types inside a graph: those of tensors, and what ONNX needs for indices and bits. */
export type ElementType = DType | "int64" | "uint64";

export interface ValueType {
  readonly dtype: ElementType;
  readonly shape: readonly number[];
}

export type ConstantData = TensorData | BigInt64Array | BigUint64Array;
export type Attribute = number | string | readonly number[] | ConstantData;
export type Attributes = Readonly<Record<string, Attribute>>;

/** One operation and its first result. Further results are `project` nodes on top of it. */
export interface Node {
  readonly id: number;
  readonly op: string;
  readonly inputs: Operands;
  readonly attributes: Attributes;
  readonly type: ValueType;
}

/**
 * A node's inputs: as many as its operation has. The type claims three, which spares every
 * reader, who knows the operation, a check.
 */
export type Operands = readonly [Node, Node, Node, ...Node[]];

export class Graph {
  readonly #nodes = new Map<string, Node>();
  /** Large constants met so far, each content once. */
  readonly #contents: ConstantData[] = [];
  #count = 0;

  /** The node for this expression: the one made before, if there is one. */
  node(op: string, inputs: readonly Node[], attributes: Attributes, type: ValueType): Node {
    const key = `${op}(${inputs.map(({ id }) => id).join()})${this.#print(attributes)}${printType(type)}`;
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const operands = inputs as unknown as Operands;
    const node = { id: this.#count++, op, inputs: operands, attributes, type };
    this.#nodes.set(key, node);
    return node;
  }

  #print(attributes: Attributes): string {
    return Object.keys(attributes)
      .sort()
      .map((name) => {
        const value = attributes[name] as Attribute;
        const text = isData(value) ? this.#printData(value) : JSON.stringify(value);
        return `,${name}=${text}`;
      })
      .join("");
  }

  /** Equal by content: bit by bit, so that 0 is not −0. */
  #printData(data: ConstantData): string {
    if (data.length <= 64) {
      return Array.from<number | bigint, string>(data, (value) =>
        Object.is(value, -0) ? "-0" : String(value),
      ).join(" ");
    }
    const known = this.#contents.findIndex((other) => sameBytes(other, data));
    return `#${known < 0 ? this.#contents.push(data) - 1 : known}`;
  }
}

function sameBytes(a: ConstantData, b: ConstantData): boolean {
  if (a === b) return true;
  if (a.byteLength !== b.byteLength) return false;
  const [x, y] = [bytesOf(a), bytesOf(b)];
  return x.every((byte, i) => byte === y[i]);
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ConstantData): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

export function isData(value: Attribute): value is ConstantData {
  return ArrayBuffer.isView(value);
}

export const printType = ({ dtype, shape }: ValueType): string => `${dtype}[${shape.join()}]`;

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((side, i) => side === b[i]);

/** Data of a constant node, `undefined` for any other node. */
export function constantData(node: Node): ConstantData | undefined {
  return node.op === "constant" ? (node.attributes["data"] as ConstantData) : undefined;
}

/** Number held by a scalar constant, `undefined` for any other node. */
export function scalarValue(node: Node): number | undefined {
  const data = node.type.shape.length === 0 ? constantData(node) : undefined;
  return data === undefined ? undefined : Number(data[0]);
}

/** Whether `x` holds one element. */
export const isScalarLike = (x: Node): boolean => x.type.shape.every((side) => side === 1);

/** Whether `x` is the scalar constant `value`. */
export const isScalar = (x: Node, value: number): boolean => scalarValue(x) === value;

/** Nodes reachable from `roots`, every node after its inputs. */
export function topological(roots: readonly Node[]): Node[] {
  const order: Node[] = [];
  const entered = new Set<Node>();
  // An explicit stack: unrolled steps are deeper than the call stack.
  const stack: [node: Node, nextInput: number][] = [];
  for (const root of roots) {
    if (entered.has(root)) continue;
    entered.add(root);
    stack.push([root, 0]);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const input = top[0].inputs[top[1]++];
      if (input === undefined) {
        order.push(top[0]);
        stack.pop();
      } else if (!entered.has(input)) {
        entered.add(input);
        stack.push([input, 0]);
      }
    }
  }
  return order;
}

/** How many inputs of other nodes, and how many roots, each node is. */
export function useCounts(order: readonly Node[], roots: readonly Node[]): Map<Node, number> {
  const counts = new Map<Node, number>();
  const count = (node: Node) => counts.set(node, (counts.get(node) ?? 0) + 1);
  roots.forEach(count);
  for (const { inputs } of order) inputs.forEach(count);
  return counts;
}
