/** Exact derivatives of a model's full-batch loss at any point, in float64. */
import { compile, type EngineOptions } from "../../engine/index.ts";
import type { ArrayTree, StepDefinition, Twin } from "../../engine/program.ts";
import {
  leavesOf,
  mapTree,
  scalarTensor,
  sizeOf,
  typesOf,
  wrap,
  type Tensor,
  type TensorType,
  type Tree,
} from "../../engine/tensor.ts";
import { inTurns } from "../../engine/turns.ts";
import type { Plane, Point, Problem } from "../../problems/problem.ts";
import { objectiveOf } from "../../sam/contract/objective.ts";
import { castBytes } from "../../sam/contract/samples.ts";
import { prepareFullPass } from "../../sam/training/full-pass.ts";
import { blockOf, bytesPerSample, fitsBeside } from "../../sam/training/pass-memory.ts";
import type { Vector } from "../algebra/vectors.ts";
import { fixedLoss, type FixedLossOptions } from "./fixed-loss.ts";

/** Loss f(x) and its gradient. */
export interface LossAndGradient {
  readonly loss: number;
  readonly gradient: Vector;
}

/** How much a computation has cost so far. */
export interface Cost {
  /** Hessian-vector products. */
  readonly products: number;
  /** Gradients. */
  readonly gradients: number;
}

/** Loss, gradient and Hessian of one function at any point. All in float64. */
export interface Derivatives {
  /** Number of parameters. */
  readonly dimension: number;
  /** What computes: `native`, `jax`, or `closed form`. */
  readonly engine: string;
  lossAndGradient(x: Vector): Promise<LossAndGradient>;
  /** H(x)·v. */
  hessianTimes(x: Vector, v: Vector): Promise<Vector>;
  /** All of H(x), row by row: as many products as there are parameters. */
  hessian(x: Vector): Promise<Vector[]>;
  readonly cost: Cost;
  /** What bounds the memory of a pass over many samples; absent where one pass takes all at once. */
  readonly blocks?: PassBlocks | undefined;
  dispose(): Promise<void>;
}

/** Blocks of samples that passes take one after the other. */
export interface PassBlocks {
  /** Samples per block. */
  readonly samples: number;
  /** Bytes that a pass over a block takes, about. */
  readonly bytes: number;
}

/** From so many parameters on a Hessian is worth a second thread, and up to so many it is asked for. */
const [leastBeside, mostBeside] = [300, 5000];

/** Rows of a Hessian that are computed in one call, where two programs share them. */
const rowsAtOnce = 64;

/** Which loss derivatives are of, and how they are compiled. */
export interface DerivativesOptions extends FixedLossOptions, EngineOptions {
  /** Samples that a pass takes at a time; default: all, or as many as 2 GiB have room for. */
  readonly block?: number | undefined;
}

/**
 * Compile loss, gradient and Hessian-vector product of a problem on its whole training set, without
 * masks and augmentation, in float64 whatever the problem computes in. Points and vectors are inputs
 * of the two programs: nothing is compiled again for another point.
 *
 * @throws {InputError} when statistics are missing or do not fit, or the mode draws random numbers.
 */
export async function compileDerivatives(
  problem: Problem,
  { statistics, mode, block: asked, ...options }: DerivativesOptions = {},
): Promise<Derivatives> {
  const loss = fixedLoss(problem, { statistics, mode });
  // Statistics of all samples together cannot be taken block by block.
  const isSum = loss.constants === undefined && (mode !== "train" || !loss.initStatistics);
  const block = isSum ? (asked ?? (await blockOf(loss))) : undefined;
  if (block !== undefined && block < loss.train.size) return inBlocksOf(loss, block, options);
  const params = typesOf(loss.init(0));
  const dimension = leavesOf(params).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const data = {
    samples: loss.train.batch,
    statistics: loss.initStatistics?.() ?? {},
    constants: loss.constants ?? {},
  };
  const objective = (inputs: ArrayTree) => {
    const { samples, statistics, constants } = inputs as { [Name in keyof typeof data]: ArrayTree };
    return objectiveOf(loss, castBytes(samples, typesOf(data.samples), loss.dtype), {
      mode: "evaluate",
      statistics: loss.initStatistics && statistics,
      constants: loss.constants && constants,
    });
  };
  // Neither program carries anything from step to step; a step is one evaluation.
  const nothing = { evaluation: scalarTensor(0, "float64") };
  const gradientStep: StepDefinition = {
    step(carry, inputs, knobs) {
      const { point } = knobs as { point: ArrayTree };
      const { loss, gradient } = objective(inputs).lossAndGradient(point);
      return { carry, record: { loss, gradient } };
    },
    carry: typesOf(nothing),
    inputs: typesOf(data),
    knobs: { point: params },
  };
  const productStep: StepDefinition = {
    step(carry, inputs, knobs) {
      const { data, point } = inputs as { data: ArrayTree; point: ArrayTree };
      const { vector } = knobs as { vector: ArrayTree };
      return { carry, record: objective(data).hessianVectorProduct(point, vector) };
    },
    carry: typesOf(nothing),
    inputs: { data: typesOf(data), point: params },
    knobs: { vector: params },
  };
  const gradientProgram = await compile(gradientStep, options);
  // Two programs with a core each make a Hessian sooner than one that has both.
  const isShared =
    (options.threads ?? 1) > 1 &&
    dimension >= leastBeside &&
    dimension <= mostBeside &&
    (await fitsBeside(loss));
  const productProgram = await compile(productStep, {
    ...options,
    ...(isShared && { threads: 1 }),
  });
  let twin: Twin | undefined;
  const cost = { products: 0, gradients: 0 };

  /** H(x) times each of several vectors in one call, by the program or by its twin. */
  async function products(
    x: Vector,
    vectors: readonly Vector[],
    program: Pick<Twin, "run"> = productProgram,
  ): Promise<Vector[]> {
    cost.products += vectors.length;
    const { records } = await program.run({
      carry: nothing,
      inputs: { data, point: unflatten(params, x) },
      knobs: { vector: stack(params, vectors) },
      steps: vectors.length,
    });
    return unstack(records, vectors.length, dimension);
  }

  return {
    dimension,
    engine: productProgram.engine,
    cost,
    async lossAndGradient(x) {
      cost.gradients += 1;
      const { records } = await gradientProgram.run({
        carry: nothing,
        inputs: data,
        knobs: { point: stack(params, [x]) },
        steps: 1,
      });
      const { loss, gradient } = records as { loss: Tensor; gradient: Tree<Tensor> };
      return {
        loss: loss.data[0] as number,
        gradient: unstack(gradient, 1, dimension)[0] as Vector,
      };
    },
    hessianTimes: async (x, v) => (await products(x, [v]))[0] as Vector,
    async hessian(x) {
      const units = Array.from({ length: dimension }, (_, i) => {
        const row = new Float64Array(dimension);
        row[i] = 1;
        return row;
      });
      if (isShared) twin ??= productProgram.twin?.();
      if (twin === undefined) return products(x, units);
      const blocks = await inTurns(
        Math.ceil(dimension / rowsAtOnce),
        productProgram,
        [twin],
        (one: Pick<Twin, "run">, i) =>
          products(x, units.slice(i * rowsAtOnce, (i + 1) * rowsAtOnce), one),
      );
      return blocks.flat();
    },
    async dispose() {
      await twin?.dispose();
      await gradientProgram.dispose();
      await productProgram.dispose();
    },
  };
}

/** Derivatives block by block: memory for one block, and for a vector or two of parameters. */
async function inBlocksOf(
  loss: Problem,
  block: number,
  engine: EngineOptions,
): Promise<Derivatives> {
  const params = loss.init(0);
  const statistics = loss.initStatistics?.() ?? {};
  const dimension = flatten(params).length;
  const full = await prepareFullPass(loss, { ...engine, block });
  const cost = { products: 0, gradients: 0 };
  const at = (x: Vector) => ({ params: unflatten(params, x), statistics });
  const hessianTimes = async (x: Vector, v: Vector) => {
    cost.products += 1;
    return flatten(await full.hessianTimes(at(x), unflatten(params, v)));
  };
  return {
    dimension,
    engine: full.engine,
    cost,
    blocks: { samples: block, bytes: block * (await bytesPerSample(loss)) },
    async lossAndGradient(x) {
      cost.gradients += 1;
      const { loss: value, gradient } = await full.lossAndGradient(at(x));
      return { loss: value, gradient: flatten(gradient) };
    },
    hessianTimes,
    async hessian(x) {
      const rows: Vector[] = [];
      for (let i = 0; i < dimension; i++) {
        const row = new Float64Array(dimension);
        row[i] = 1;
        rows.push(await hessianTimes(x, row));
      }
      return rows;
    },
    dispose: () => full.dispose(),
  };
}

/** The derivatives of a plane, from its closed forms. */
export function planeDerivatives(plane: Plane): Derivatives {
  const cost = { products: 0, gradients: 0 };
  const at = (x: Vector): Point => [x[0] as number, x[1] as number];
  return {
    dimension: 2,
    engine: "closed form",
    cost,
    async lossAndGradient(x) {
      cost.gradients += 1;
      return { loss: plane.value(at(x)), gradient: Float64Array.from(plane.gradient(at(x))) };
    },
    async hessianTimes(x, [v1 = 0, v2 = 0]) {
      cost.products += 1;
      return Float64Array.from(plane.hessian(at(x)), ([h1, h2]) => h1 * v1 + h2 * v2);
    },
    async hessian(x) {
      cost.products += 2;
      return plane.hessian(at(x)).map((row) => Float64Array.from(row));
    },
    async dispose() {},
  };
}

/** All parameters in one row, leaves in the order of trees. */
export function flatten(params: Tree<Tensor>): Vector {
  const leaves = leavesOf(params);
  const flat = new Float64Array(leaves.reduce((sum, { data }) => sum + data.length, 0));
  let offset = 0;
  for (const { data } of leaves) {
    flat.set(data, offset);
    offset += data.length;
  }
  return flat;
}

/** The inverse of {@link flatten}: float64 tensors of the given shapes. */
export function unflatten(like: Tree<TensorType>, flat: Vector): Tree<Tensor> {
  return mapTree(stack(like, [flat]), (leaf) => ({ ...leaf, shape: leaf.shape.slice(1) }));
}

/** Several vectors as trees, stacked along a first axis. */
export function stack(like: Tree<TensorType>, vectors: readonly Vector[]): Tree<Tensor> {
  let offset = 0;
  return mapTree(like, ({ shape }) => {
    const size = sizeOf(shape);
    const data = new Float64Array(vectors.length * size);
    vectors.forEach((v, i) => data.set(v.subarray(offset, offset + size), i * size));
    offset += size;
    return wrap(data, [vectors.length, ...shape], "float64");
  });
}

/** The inverse of {@link stack}. */
export function unstack(stacked: Tree<Tensor>, count: number, dimension: number): Vector[] {
  const flat = Array.from({ length: count }, () => new Float64Array(dimension));
  let offset = 0;
  for (const { data } of leavesOf(stacked)) {
    const size = data.length / count;
    flat.forEach((v, i) => v.set(data.subarray(i * size, (i + 1) * size), offset));
    offset += size;
  }
  return flat;
}
