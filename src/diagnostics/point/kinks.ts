/** Kinks between points: how many pre-activations of a network change sign from one to another. */
import { compile, type EngineOptions } from "../../engine/index.ts";
import { loadJax, np } from "../../engine/jax-js.ts";
import { add, jaxDType, scalar, share } from "../../engine/arrays.ts";
import type { ArrayTree, Program } from "../../engine/program.ts";
import {
  leavesOf,
  mapTree,
  sizeOf,
  typesOf,
  unflattenLike,
  type Tensor,
} from "../../engine/tensor.ts";
import { gatherKinks } from "../../problems/layers/kinks.ts";
import type { Problem } from "../../problems/problem.ts";
import { castBytes } from "../../sam/contract/samples.ts";
import { inBlocks } from "../../sam/training/evaluation.ts";
import type { Vector } from "../algebra/vectors.ts";
import { unflatten } from "./derivatives.ts";

/** What lies between two points. */
export interface KinksBetween {
  /** Pre-activations in all: those of one sample times the samples. */
  readonly units: number;
  /** Those that are 0, to rounding, at the first point. */
  readonly atKink: number;
  /** Those that change sign from the first point to the second. */
  readonly between: number;
}

/** Counts kinks of one loss. */
export interface Kinks {
  count(from: Vector, to: Vector): Promise<KinksBetween>;
  dispose(): Promise<void>;
}

/** |z| below so many ulps of the largest in its layer counts as 0. */
const roundings = 64;

/**
 * A counter of the kinks that a loss tells of; `undefined` where it tells of none, as smooth losses
 * do. Signs are compared at both ends of a segment: what changes there and back is not seen.
 *
 * @param problem a loss that is the same in every pass: see `fixedLoss`.
 * @param block samples at a time; default all.
 */
export async function compileKinks(
  problem: Problem,
  {
    block = problem.train.size,
    ...engine
  }: EngineOptions & { readonly block?: number | undefined } = {},
): Promise<Kinks | undefined> {
  if ((await kinksIn(problem)) === 0) return undefined;
  const { batch, size } = problem.train;
  const params = problem.init(0);
  const { constants = {}, dtype } = problem;
  const data = { statistics: problem.initStatistics?.() ?? {}, constants };
  const nothing = { units: { dtype, shape: [] } };
  /** Pre-activations in one pass; known once a program is traced. */
  let told = 0;
  const compilePart = (samples: number): Promise<Program> => {
    const types = mapTree(typesOf(batch), (leaf) => ({
      dtype: leaf.dtype,
      shape: [samples, ...leaf.shape.slice(1)],
    }));
    return compile(
      {
        carry: nothing,
        inputs: typesOf({ ...data, from: params, to: params }),
        knobs: types,
        step(carry, inputs, raw) {
          const { statistics, constants, from, to } = inputs as {
            [Name in "statistics" | "constants" | "from" | "to"]: ArrayTree;
          };
          const at = (point: ArrayTree) =>
            gatherKinks(() =>
              problem.forward(share(point), share(castBytes(raw, types, dtype)), {
                mode: "evaluate",
                statistics: problem.initStatistics && share(statistics),
                constants: problem.constants && share(constants),
              }),
            );
          const [here, there] = [at(from), at(to)];
          told = here.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
          const number = (holds: np.Array, like: np.Array) => np.sum(holds.astype(like.dtype));
          const zero = () => np.array(0, { dtype: jaxDType[dtype] });
          let [atKink, between] = [zero(), zero()];
          here.forEach((z, i) => {
            const other = there[i] as np.Array;
            const isPositive = (of: np.Array) => np.greater(of.ref, 0);
            between = add(between, number(np.notEqual(isPositive(z), isPositive(other)), z));
            const size = np.abs(z.ref);
            const level = np.multiply(
              np.max(size.ref),
              scalar(roundings * (dtype === "float64" ? 2 ** -52 : 2 ** -23), z),
            );
            atKink = add(atKink, number(np.lessEqual(size, level), z));
          });
          return { carry, record: { atKink, between } };
        },
      },
      engine,
    );
  };
  const parts = [
    [0, Math.floor(size / block), block],
    [size - (size % block), 1, size % block],
  ] as const;
  const programs = new Map<number, Program>();
  const dispose = async () => {
    for (const program of programs.values()) await program.dispose();
  };
  let units = 0;
  for (const [, steps, samples] of parts) {
    if (samples === 0 || steps === 0) continue;
    programs.set(samples, await compilePart(samples));
    units += steps * told;
  }
  return {
    dispose,
    async count(from, to) {
      let [atKink, between] = [0, 0];
      for (const [first, steps, samples] of parts) {
        const program = programs.get(samples);
        if (samples === 0 || steps === 0 || program === undefined) continue;
        const { records } = await program.run({
          carry: { units: { dtype, shape: [], data: new Float64Array(1) } },
          inputs: { ...data, from: unflatten(params, from), to: unflatten(params, to) },
          knobs: mapTree(batch, (leaf) => inBlocks(leaf, first, steps, samples)),
          steps,
        });
        const seen = records as { atKink: Tensor; between: Tensor };
        for (const value of seen.atKink.data) atKink += value;
        for (const value of seen.between.data) between += value;
      }
      return { units, atKink, between };
    },
  };
}

/** How many times a forward pass tells of kinks. Nothing is compiled to find out. */
async function kinksIn(problem: Problem): Promise<number> {
  await loadJax();
  const { traceFunction } = await import("../../engine/trace.ts");
  const { train, constants = {}, dtype } = problem;
  const batch = typesOf(train.batch);
  const types = {
    params: typesOf(problem.init(0)),
    batch,
    statistics: typesOf(problem.initStatistics?.() ?? {}),
    constants: typesOf(constants),
  };
  let told = 0;
  await traceFunction((...arrays) => {
    const given = unflattenLike(types, arrays) as unknown as {
      [Name in keyof typeof types]: ArrayTree;
    };
    let losses: np.Array | undefined;
    told = gatherKinks(() => {
      ({ losses } = problem.forward(given.params, castBytes(given.batch, batch, dtype), {
        mode: "evaluate",
        statistics: problem.initStatistics && given.statistics,
        constants: problem.constants && given.constants,
      }));
    }).length;
    return [losses as unknown as np.Array];
  }, leavesOf(types));
  return told;
}
