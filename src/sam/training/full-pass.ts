/** Full passes: loss, gradient and Hessian products over all samples, block by block, in bounded memory. */
import { addTrees } from "../../engine/arrays.ts";
import { compile, type EngineOptions } from "../../engine/index.ts";
import { np } from "../../engine/jax-js.ts";
import type { ArrayTree, Program } from "../../engine/program.ts";
import {
  leavesOf,
  mapTree,
  scalarTensor,
  tensor,
  typesOf,
  unflattenLike,
  zeros,
  type Tensor,
  type Tree,
} from "../../engine/tensor.ts";
import type { Model, Problem } from "../../problems/problem.ts";
import { valueAt } from "../../settings/schedules.ts";
import type { Method } from "../contract/method.ts";
import { objectiveOf } from "../contract/objective.ts";
import { castBytes } from "../contract/samples.ts";
import { inBlocks } from "./evaluation.ts";

/** Derivatives of the mean loss over all training samples, without masks or augmentation. */
export interface FullPass {
  /** Samples per block. */
  readonly block: number;
  /** What computes: `native` or `jax`. */
  readonly engine: string;
  lossAndGradient(
    model: Model,
  ): Promise<{ readonly loss: number; readonly gradient: Tree<Tensor> }>;
  /** H·vector. */
  hessianTimes(model: Model, vector: Tree<Tensor>): Promise<Tree<Tensor>>;
  dispose(): Promise<void>;
}

/** What is summed over blocks. */
type Kind = "gradient" | "product";

/**
 * Compile passes over a problem's training samples in blocks. Normalization layers use the model's
 * running statistics: only then is the loss a sum over samples, which blocks may divide.
 *
 * @param block samples at a time: what bounds memory.
 */
export async function prepareFullPass(
  problem: Problem,
  { block, ...engine }: EngineOptions & { readonly block: number },
): Promise<FullPass> {
  const { batch, size } = problem.train;
  const { dtype, constants = {} } = problem;
  const params = problem.init(0);
  const statistics = problem.initStatistics?.() ?? {};
  const programs = new Map<string, Promise<Program>>();
  const whole = Math.floor(size / block);
  const parts = [
    [0, whole, block],
    [whole * block, 1, size % block],
  ] as const;

  const programOf = (kind: Kind, samples: number): Promise<Program> => {
    const key = `${kind} ${samples}`;
    const known = programs.get(key) ?? compilePart(kind, samples);
    programs.set(key, known);
    return known;
  };
  const compilePart = (kind: Kind, samples: number): Promise<Program> => {
    const types = mapTree(typesOf(batch), (leaf) => ({
      dtype: leaf.dtype,
      shape: [samples, ...leaf.shape.slice(1)],
    }));
    const given = { params, statistics, constants, ...(kind === "product" && { vector: params }) };
    return compile(
      {
        carry: typesOf(sums()),
        inputs: typesOf(given),
        knobs: types,
        step(carryTree, inputTree, samplesTree) {
          const carry = carryTree as { loss: np.Array; total: ArrayTree };
          const { params, statistics, constants, vector } = inputTree as {
            [Name in "params" | "statistics" | "constants" | "vector"]: ArrayTree;
          };
          const objective = objectiveOf(problem, castBytes(samplesTree, types, dtype), {
            mode: "evaluate",
            statistics: problem.initStatistics && statistics,
            constants: problem.constants && constants,
          });
          if (kind === "product") {
            const product = objective.hessianVectorProduct(params, vector);
            return {
              carry: { loss: carry.loss, total: addTrees(carry.total, product) },
              record: {},
            };
          }
          const { loss, gradient } = objective.lossAndGradient(params);
          return {
            carry: { loss: np.add(carry.loss, loss.ref), total: addTrees(carry.total, gradient) },
            record: {},
          };
        },
      },
      engine,
    );
  };
  /** Sums over blocks, each a mean over its samples. */
  const sums = () => ({
    loss: scalarTensor(0, dtype),
    total: mapTree(params, (leaf: Tensor) => zeros(leaf.shape, leaf.dtype)),
  });

  /** Means over all samples, from sums of the means of whole blocks and that of the rest. */
  async function pass(kind: Kind, given: { readonly [name: string]: Tree<Tensor> }) {
    let loss = 0;
    const total = leavesOf<Tensor>(params).map(({ data }) => new Float64Array(data.length));
    for (const [first, steps, samples] of parts) {
      if (samples === 0 || steps === 0) continue;
      const program = await programOf(kind, samples);
      const { carry } = await program.run({
        carry: sums(),
        inputs: { ...given, constants },
        knobs: mapTree(batch, (leaf) => inBlocks(leaf, first, steps, samples)),
        steps,
      });
      const seen = carry as ReturnType<typeof sums>;
      const weight = samples / size;
      loss += weight * (seen.loss.data[0] as number);
      leavesOf<Tensor>(seen.total).forEach(({ data }, i) => {
        const sum = total[i] as Float64Array;
        for (let k = 0; k < sum.length; k++) {
          sum[k] = (sum[k] as number) + weight * (data[k] as number);
        }
      });
    }
    const types = leavesOf<Tensor>(params);
    const leaves = total.map((data, i) => {
      const { shape, dtype: own } = types[i] as Tensor;
      return tensor(data, shape, own);
    });
    return { loss, total: unflattenLike<Tensor>(params, leaves) };
  }

  const first = await programOf("gradient", Math.min(block, size));
  return {
    block,
    engine: first.engine,
    async lossAndGradient(model) {
      const { loss, total } = await pass("gradient", { ...model });
      return { loss, gradient: total };
    },
    async hessianTimes(model, vector) {
      return (await pass("product", { ...model, vector })).total;
    },
    async dispose() {
      for (const opened of await Promise.allSettled(programs.values())) {
        if (opened.status === "fulfilled") await opened.value.dispose();
      }
    },
  };
}

/** What SAM sees on all training samples: the evidence of one step, as a row of records. */
export interface FullEvidence {
  readonly loss: number;
  readonly shiftedLoss: number;
  readonly gradNorm: number;
  readonly shiftedGradNorm: number;
  readonly cosine: number;
}

/**
 * Both gradients over all training samples: at a model's parameters x and at x⁺ = x + ρ g/‖g‖. Two
 * full gradients; with ρ = 0 one.
 */
export async function fullEvidence(
  full: FullPass,
  model: Model,
  rho: number,
): Promise<FullEvidence> {
  const { loss, gradient } = await full.lossAndGradient(model);
  const g = leavesOf<Tensor>(gradient).map(({ data }) => data);
  const gradNorm = Math.sqrt(inner(g, g));
  if (rho === 0 || gradNorm === 0) {
    const cosine = gradNorm === 0 ? 0 : 1;
    return { loss, shiftedLoss: loss, gradNorm, shiftedGradNorm: gradNorm, cosine };
  }
  let next = 0;
  const params = mapTree(model.params, ({ data, shape, dtype }: Tensor) => {
    const along = g[next++] as ArrayLike<number>;
    const moved = Float64Array.from(data, (x, k) => x + (rho * (along[k] as number)) / gradNorm);
    return tensor(moved, shape, dtype);
  });
  const shifted = await full.lossAndGradient({ ...model, params });
  const gPlus = leavesOf<Tensor>(shifted.gradient).map(({ data }) => data);
  const shiftedGradNorm = Math.sqrt(inner(gPlus, gPlus));
  const cosine = shiftedGradNorm === 0 ? 0 : inner(g, gPlus) / (gradNorm * shiftedGradNorm);
  return { loss, shiftedLoss: shifted.loss, gradNorm, shiftedGradNorm, cosine };
}

/** ⟨a, b⟩ over all leaves. */
function inner(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number {
  let sum = 0;
  a.forEach((leaf, i) => {
    const other = b[i] as ArrayLike<number>;
    for (let k = 0; k < leaf.length; k++) sum += (leaf[k] as number) * (other[k] as number);
  });
  return sum;
}

/** ρ of a method at a step, 0 for plain descent; `undefined` where it looks elsewhere than SAM does. */
export function samRadius(
  { name, knobs, grouped }: Method,
  step: number,
  steps: number,
): number | undefined {
  if (name === "gd") return 0;
  if (grouped) return undefined;
  const { rho, to, switched } = knobs;
  if (name === "sam" && (typeof rho === "number" || typeof rho === "function")) {
    return valueAt(rho, step, steps);
  }
  if (name === "gd to sam" && typeof to === "object" && typeof switched === "function") {
    const later = to["rho"];
    if (typeof later !== "number" && typeof later !== "function") return undefined;
    return switched(step, steps) > 0 ? valueAt(later, step, steps) : 0;
  }
  return undefined;
}
