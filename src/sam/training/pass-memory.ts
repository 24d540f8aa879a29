/** Memory of passes: how much a forward and backward pass keeps per sample, read off a problem's trace. */
import { share } from "../../engine/arrays.ts";
import { loadJax } from "../../engine/jax-js.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { leavesOf, mapTree, sizeOf, typesOf, unflattenLike } from "../../engine/tensor.ts";
import type { Problem } from "../../problems/problem.ts";
import { castBytes } from "../contract/samples.ts";

/** Copies of what a forward pass computes: its results, and what the backward pass makes of them. */
const copies = 2;

/** Memory that one pass may take, in bytes, before samples are cut into blocks. */
export const passLimit = 2 ** 31;

/** So few samples fit, whatever the network: none is traced to find out. */
const few = 64;

/**
 * Bytes that a gradient or a Hessian-vector product takes per sample: the sizes of all intermediate
 * results of the forward pass as it is traced, twice. A generous estimate: compilers fuse much of it.
 */
export async function bytesPerSample(problem: Problem): Promise<number> {
  await loadJax();
  const { traceFunction } = await import("../../engine/trace.ts");
  const model = { params: problem.init(0), statistics: problem.initStatistics?.() ?? {} };
  const element = problem.dtype === "float32" ? 4 : 8;
  const numbersIn = async (samples: number) => {
    const batch = mapTree(typesOf(problem.train.batch), ({ dtype, shape }) => ({
      dtype,
      shape: [samples, ...shape.slice(1)],
    }));
    const types = { batch, constants: problem.constants ?? {}, model };
    const { jaxpr } = await traceFunction(
      (...arrays) => {
        const given = unflattenLike(types, arrays) as unknown as {
          batch: ArrayTree;
          constants: ArrayTree;
          model: { params: ArrayTree; statistics: ArrayTree };
        };
        const { losses } = problem.forward(
          given.model.params,
          share(castBytes(given.batch, batch, problem.dtype)),
          {
            mode: "evaluate",
            statistics: problem.initStatistics && given.model.statistics,
            constants: problem.constants && given.constants,
          },
        );
        return [losses];
      },
      leavesOf(typesOf(types)),
    );
    return jaxpr.eqns
      .flatMap(({ outBinders }) => outBinders)
      .reduce((sum, { aval }) => sum + sizeOf(aval.shape), 0);
  };
  // What does not grow with the samples is no part of it.
  return copies * element * ((await numbersIn(2)) - (await numbersIn(1)));
}

/**
 * How many samples a pass over all of them takes at a time, so that it keeps within
 * {@link passLimit}; `undefined` where all fit, or belong together as the nodes of a graph do.
 */
export async function blockOf(problem: Problem): Promise<number | undefined> {
  const { size } = problem.train;
  if (problem.constants !== undefined || size <= few) return undefined;
  const each = await bytesPerSample(problem);
  if (size * each <= passLimit) return undefined;
  return Math.max(1, Math.floor(passLimit / 4 / each));
}

/** Bytes that a pass may take for several to take place at once. */
const mostBytesBeside = 2 ** 28;

/** Passes × parameters × samples from which on a thread for a part of them is worth its start. */
export const leastWorkBeside = 1e8;

/** Whether passes over all samples are small enough for several to take place at once. */
export const fitsBeside = async (problem: Problem): Promise<boolean> =>
  problem.train.size * (await bytesPerSample(problem)) <= mostBytesBeside;
