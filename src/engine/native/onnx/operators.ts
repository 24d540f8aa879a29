/** ONNX operators as functions: types are inferred, operators without effect left out. */
import { makeData } from "../graph/constants.ts";
import { Graph, sameShape, type Attributes, type ElementType, type Node } from "../graph/graph.ts";
import { elementKind } from "./messages.ts";
import { broadcastShapes, range } from "../graph/shapes.ts";

/** Writes ONNX operators into a graph. */
export class Operators {
  readonly graph = new Graph();
  /** An operator; without a type it is elementwise. */
  op(
    name: string,
    inputs: readonly Node[],
    attributes: Attributes = {},
    dtype: ElementType = (inputs[0] as Node).type.dtype,
    shape: readonly number[] = broadcastShapes(...inputs.map(({ type }) => type.shape)),
  ): Node {
    return this.graph.node(name, inputs, attributes, { dtype, shape });
  }

  /** A further result of an operator with several. */
  project(node: Node, index: number, dtype: ElementType, shape: readonly number[]): Node {
    return this.graph.node("project", [node], { index }, { dtype, shape });
  }

  scalar(value: number, dtype: ElementType): Node {
    return this.constant([value], dtype, []);
  }

  constant(values: ArrayLike<number>, dtype: ElementType, shape: readonly number[]): Node {
    return this.graph.node("constant", [], { data: makeData(values, dtype) }, { dtype, shape });
  }

  /** A list of whole numbers as operators take it: int64. */
  integers(values: readonly number[]): Node {
    return this.constant(values, "int64", [values.length]);
  }

  cast(x: Node, dtype: ElementType): Node {
    return x.type.dtype === dtype ? x : this.op("Cast", [x], { to: elementKind[dtype] }, dtype);
  }

  reshape(x: Node, shape: readonly number[]): Node {
    if (sameShape(x.type.shape, shape)) return x;
    if (x.op === "Reshape") return this.reshape(x.inputs[0], shape);
    // Without the attribute a side of 0 stands for the side that was there.
    const attributes: Attributes = shape.includes(0) ? { allowzero: 1 } : {};
    return this.op("Reshape", [x, this.integers(shape)], attributes, x.type.dtype, shape);
  }

  transpose(x: Node, perm: readonly number[]): Node {
    if (perm.every((axis, i) => axis === i)) return x;
    if (x.op === "Transpose") {
      const first = x.attributes["perm"] as number[];
      return this.transpose(
        x.inputs[0],
        perm.map((axis) => first[axis] as number),
      );
    }
    const shape = perm.map((axis) => x.type.shape[axis] as number);
    // Without sides of 1, so that values which differ in those alone are moved once.
    const real = range(perm.length).filter((axis) => x.type.shape[axis] !== 1);
    if (real.length < perm.length) {
      const sides = real.map((axis) => x.type.shape[axis] as number);
      const order = perm.filter((axis) => real.includes(axis)).map((axis) => real.indexOf(axis));
      return this.reshape(this.transpose(this.reshape(x, sides), order), shape);
    }
    return this.op("Transpose", [x], { perm }, x.type.dtype, shape);
  }

  expand(x: Node, shape: readonly number[]): Node {
    if (sameShape(x.type.shape, shape)) return x;
    return this.op("Expand", [x, this.integers(shape)], {}, x.type.dtype, shape);
  }

  slice(
    x: Node,
    starts: readonly number[],
    ends: readonly number[],
    steps: readonly number[] = starts.map(() => 1),
  ): Node {
    const { shape } = x.type;
    const axes = range(shape.length).filter(
      (axis) => starts[axis] !== 0 || ends[axis] !== shape[axis] || steps[axis] !== 1,
    );
    if (axes.length === 0) return x;
    const lists = [starts, ends, steps].map((list) => axes.map((a) => list[a]));
    const [from, to, by] = lists as [number[], number[], number[]];
    const result = shape.map((side, axis) => {
      const [start, end, step] = [starts[axis], ends[axis], steps[axis]] as [
        number,
        number,
        number,
      ];
      return axes.includes(axis) ? Math.max(0, Math.ceil((end - start) / step)) : side;
    });
    const inputs = [x, this.integers(from), this.integers(to), this.integers(axes)];
    if (by.some((step) => step !== 1)) inputs.push(this.integers(by));
    return this.op("Slice", inputs, {}, x.type.dtype, result);
  }

  flip(x: Node, axes: readonly number[]): Node {
    const list = (value: number) => this.integers(axes.map(() => value));
    const lists = [list(-1), list(-(2 ** 31)), this.integers(axes), list(-1)];
    return this.op("Slice", [x, ...lists], {}, x.type.dtype, x.type.shape);
  }

  /** Zeros around `x`. */
  pad(x: Node, low: readonly number[], high: readonly number[]): Node {
    if ([...low, ...high].every((width) => width === 0)) return x;
    const shape = x.type.shape.map((side, i) => side + (low[i] as number) + (high[i] as number));
    return this.op("Pad", [x, this.integers([...low, ...high])], {}, x.type.dtype, shape);
  }

  /** `gaps[axis]` zeros between neighbors along each axis. */
  padInterior(x: Node, gaps: readonly number[]): Node {
    let result = x;
    gaps.forEach((gap, axis) => {
      const { shape } = result.type;
      const side = shape[axis] as number;
      if (gap === 0 || side < 2) return;
      // [n] → [n, 1] → [n, 1 + gap] → [n·(1 + gap)], cut after the last element.
      const column = this.reshape(result, shape.toSpliced(axis + 1, 0, 1));
      const none = column.type.shape.map(() => 0);
      const padded = this.pad(column, none, none.with(axis + 1, gap));
      const flat = this.reshape(padded, shape.with(axis, side * (1 + gap)));
      const ends = flat.type.shape.with(axis, (side - 1) * (1 + gap) + 1);
      result = this.slice(
        flat,
        shape.map(() => 0),
        ends,
      );
    });
    return result;
  }

  concatenate(parts: readonly Node[], axis: number): Node {
    const [first] = parts as [Node];
    if (parts.length === 1) return first;
    const side = parts.reduce((sum, { type }) => sum + (type.shape[axis] as number), 0);
    return this.op(
      "Concat",
      parts,
      { axis },
      first.type.dtype,
      first.type.shape.toSpliced(axis, 1, side),
    );
  }

  /**
   * Sum, maximum … over `axes`, which are dropped, or kept as sides of 1. Kernels are fastest
   * on few axes and over the last: neighbors are joined, inner axes reduced first.
   */
  reduce(name: string, x: Node, axes: readonly number[], keep = false): Node {
    const { shape, dtype } = x.type;
    const runs: { side: number; reduced: boolean }[] = [];
    shape.forEach((side, axis) => {
      const reduced = axes.includes(axis);
      const last = runs.at(-1);
      if (side === 1) return;
      if (last?.reduced === reduced) last.side *= side;
      else runs.push({ side, reduced });
    });
    let result = this.reshape(
      x,
      runs.map(({ side }) => side),
    );
    let operator = name;
    for (let axis = runs.length - 1; axis >= 0; axis--) {
      if (runs[axis]?.reduced !== true) continue;
      const inputs = [result, this.integers([axis])];
      const sides = result.type.shape.toSpliced(axis, 1);
      result = this.op(operator, inputs, { keepdims: 0 }, dtype, sides);
      // The squares are taken once.
      if (operator === "ReduceSumSquare") operator = "ReduceSum";
    }
    const kept = keep
      ? shape.map((side, axis) => (axes.includes(axis) ? 1 : side))
      : shape.filter((_, axis) => !axes.includes(axis));
    return this.reshape(result, kept);
  }

  /** a·b, with either matrix taken transposed. Batches broadcast. */
  matmul(a: Node, b: Node, { transA = false, transB = false, alpha = 1 } = {}): Node {
    const rows = a.type.shape.at(transA ? -1 : -2) as number;
    const columns = b.type.shape.at(transB ? -2 : -1) as number;
    const batch = broadcastShapes(a.type.shape.slice(0, -2), b.type.shape.slice(0, -2));
    const shape = [...batch, rows, columns];
    if (!transA && !transB && alpha === 1)
      return this.op("MatMul", [a, b], {}, a.type.dtype, shape);
    const attributes = { transA: transA ? 1 : 0, transB: transB ? 1 : 0, alpha };
    return this.op("FusedMatMul", [a, b], attributes, a.type.dtype, shape);
  }
}
