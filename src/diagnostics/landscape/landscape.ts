/**
 * The landscape around a point: the loss, and what SAM sees of it, on a line or a plane through any
 * point of any problem, many places per call of one compiled program.
 */
import {
  addTrees,
  divide,
  dot,
  mean,
  moveAlong,
  multiply,
  norm,
  scalar,
  select,
} from "../../engine/arrays.ts";
import { compile, type EngineOptions } from "../../engine/index.ts";
import { np } from "../../engine/jax-js.ts";
import type { ArrayTree, StepDefinition, Twin } from "../../engine/program.ts";
import { scalarTensor, tensor, typesOf, type Tensor, type Tree } from "../../engine/tensor.ts";
import { checkThreads } from "../../engine/threads.ts";
import { inTurns } from "../../engine/turns.ts";
import { castTree } from "../../problems/float64.ts";
import type { Problem } from "../../problems/problem.ts";
import { objectiveOf } from "../../sam/contract/objective.ts";
import { castBytes } from "../../sam/contract/samples.ts";
import { ofLength } from "../../sam/parts/ascent.ts";
import { fitsBeside, leastWorkBeside } from "../../sam/training/pass-memory.ts";
import type { Vector } from "../algebra/vectors.ts";
import { unflatten } from "../point/derivatives.ts";
import { fixedLoss, type FixedLossOptions } from "../point/fixed-loss.ts";
import type { Axis } from "./directions.ts";
import type { Layer } from "./layers.ts";

/** Values at places, in the order in which they were asked for. Not finite where the loss is not. */
export type LandscapeValues = { readonly [layer in Layer]?: readonly number[] | undefined };

/** A line or plane through a point, ready to be evaluated at any number of places. */
export interface Landscape {
  readonly engine: string;
  /** Values at places, given by one coordinate per axis. */
  at(places: readonly (readonly number[])[]): Promise<LandscapeValues>;
  dispose(): Promise<void>;
}

/**
 * What a landscape is of. With `threads` beyond 1 places are shared among as many programs with a core
 * each, where passes are small, since that suits small networks better than one program with several.
 */
export interface LandscapeOptions extends FixedLossOptions, EngineOptions {
  readonly problem: Problem;
  /** x, at which all coordinates are 0. */
  readonly center: Vector;
  /** One axis for a line, two for a plane. */
  readonly axes: readonly Axis[];
  /** Radius of the ascent, ≥ 0. */
  readonly rho: number;
  /**
   * Also ‖∇f(p⁺)‖ and the cosine, which need a second gradient at every place; default true.
   * Without, a place costs a gradient and a forward pass.
   */
  readonly shiftedGradients?: boolean | undefined;
}

/** Parts of a call for each program: with one alone nobody could make up for another's delay. */
const piecesEach = 2;

/** A program or its twin. */
type Runs = Pick<Twin, "run">;

/**
 * Compile a landscape on all training samples, without masks and augmentation, in the problem's own
 * dtype: pictures do not need the digits that proofs do.
 *
 * @throws {InputError} when statistics are missing or do not fit, or the mode draws random numbers.
 */
export async function compileLandscape({
  problem,
  center,
  axes,
  rho,
  statistics,
  mode,
  shiftedGradients = true,
  threads = 1,
  ...engine
}: LandscapeOptions): Promise<Landscape> {
  checkThreads("threads", threads);
  const { dtype } = problem;
  const loss = fixedLoss(problem, { statistics, mode });
  const params = typesOf(loss.init(0));
  const treeOf = (vector: Vector) => castTree(unflatten(params, vector), dtype);
  const names = axes.map((_, i) => `axis${i}`);
  const data = {
    samples: problem.train.batch,
    statistics: castTree(loss.initStatistics?.() ?? {}, dtype),
    constants: problem.constants ?? {},
    center: treeOf(center),
    axes: Object.fromEntries(axes.map(({ vector }, i) => [`axis${i}`, treeOf(vector)])),
    rho: scalarTensor(rho, dtype),
  } satisfies Tree<Tensor>;
  const nothing = { evaluation: scalarTensor(0, dtype) };
  const definition: StepDefinition = {
    step(carry, inputs, knobs) {
      const given = inputs as { [Name in keyof typeof data]: ArrayTree };
      const directions = given.axes as { [name: string]: ArrayTree };
      const place = knobs as { [name: string]: np.Array };
      const objective = objectiveOf(loss, castBytes(given.samples, typesOf(data.samples), dtype), {
        mode: "evaluate",
        statistics: loss.initStatistics && given.statistics,
        constants: loss.constants && given.constants,
      });
      // p = x + Σ aᵢdᵢ
      const p = names.reduce(
        (from, name) => moveAlong(from, place[name] as np.Array, directions[name] as ArrayTree),
        given.center,
      );
      const here = objective.lossAndGradient(p);
      const gradNorm = norm(here.gradient);
      const ahead = addTrees(p, ofLength(given.rho as np.Array, here.gradient));
      const known = { loss: here.loss, gradNorm };
      if (!shiftedGradients) {
        const { losses } = objective.forward(ahead);
        return { carry, record: { ...known, shiftedLoss: mean(losses) } };
      }
      const there = objective.lossAndGradient(ahead);
      const shiftedGradNorm = norm(there.gradient);
      const product = multiply(gradNorm, shiftedGradNorm);
      const cosine = select(
        np.greater(product.ref, scalar(0, product)),
        divide(dot(here.gradient, there.gradient), product),
        scalar(Number.NaN, product),
      );
      return { carry, record: { ...known, shiftedLoss: there.loss, shiftedGradNorm, cosine } };
    },
    carry: typesOf(nothing),
    inputs: typesOf(data),
    knobs: Object.fromEntries(names.map((name) => [name, { dtype, shape: [] }])),
  };
  const isShared = threads > 1 && (await fitsBeside(problem));
  const program = await compile(definition, { ...engine, threads: isShared ? 1 : threads });
  let twins: readonly Twin[] = [];
  /** Twins for so many places, if they are worth the start of a thread. */
  const twinsFor = (places: number) => {
    const work = places * center.length * problem.train.size;
    if (!isShared || work < leastWorkBeside) return [];
    if (twins.length === 0) {
      const opened = Array.from({ length: threads - 1 }, () => program.twin?.());
      twins = opened.filter((twin) => twin !== undefined);
    }
    return twins;
  };
  const evaluate = async (
    one: Runs,
    places: readonly (readonly number[])[],
  ): Promise<LandscapeValues> => {
    const column = (i: number) =>
      tensor(
        places.map((place) => place[i] ?? 0),
        [places.length],
        dtype,
      );
    const { records } = await one.run({
      carry: nothing,
      inputs: data,
      knobs: Object.fromEntries(names.map((name, i) => [name, column(i)])),
      steps: places.length,
    });
    return Object.fromEntries(
      Object.entries(records as { [layer: string]: Tensor }).map(([layer, { data: values }]) => [
        layer,
        Array.from(values, Number),
      ]),
    );
  };
  return {
    engine: program.engine,
    async at(places) {
      const others = twinsFor(places.length);
      const most = others.length === 0 ? 1 : piecesEach * (1 + others.length);
      const share = Math.max(1, Math.ceil(places.length / most));
      const pieces = Math.max(1, Math.ceil(places.length / share));
      const parts = await inTurns(pieces, program, others, (one: Runs, i) =>
        evaluate(one, places.slice(i * share, (i + 1) * share)),
      );
      const [first = {}] = parts;
      return Object.fromEntries(
        (Object.keys(first) as Layer[]).map((layer) => [
          layer,
          parts.flatMap((part) => part[layer] ?? []),
        ]),
      );
    },
    async dispose() {
      for (const twin of twins) await twin.dispose();
      await program.dispose();
    },
  };
}
