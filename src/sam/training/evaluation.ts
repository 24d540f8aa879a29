/** Evaluation: how good a model is on samples, without masks, augmentation or updates. */
import { share } from "../../engine/arrays.ts";
import { InputError } from "../../engine/errors.ts";
import { compile, type EngineOptions } from "../../engine/index.ts";
import type { ArrayTree, Program } from "../../engine/program.ts";
import {
  mapTree,
  sizeOf,
  typesOf,
  wrap,
  type Tensor,
  type TensorType,
  type Tree,
} from "../../engine/tensor.ts";
import type { Batch, Forward, Model, Problem, Split } from "../../problems/problem.ts";
import { checkedForward } from "../../problems/check.ts";
import { castBytes } from "../contract/samples.ts";

/** Samples per forward pass: enough to be fast, few enough to bound memory. */
const usualBlock = 500;

/** How an evaluation is compiled. */
export interface EvaluationOptions extends EngineOptions {
  /**
   * Samples per forward pass, or `full`: all of a split at once. Default 500; `full` for problems
   * with constants, such as graphs, whose edges mean samples by their place in the split.
   */
  readonly blockSize?: number | "full" | undefined;
}

/** How good a model is on a split. */
export interface EvaluationResult {
  /** Mean loss. */
  readonly loss: number;
  /** Mean of `Problem.score`, such as the fraction classified correctly; absent without one. */
  readonly score?: number | undefined;
}

/** Judges models of one problem. */
export interface Evaluation {
  /** Forward passes in mode `evaluate`, with the model's running statistics and no random key. */
  evaluate(model: Model, split: Split): Promise<EvaluationResult>;
  /** Free what compiled programs hold. A second call does nothing. */
  dispose(): Promise<void>;
}

/**
 * An evaluation of a problem's models, on any split with samples like those of training. Programs
 * are compiled at the first use of each size of block.
 *
 * @throws {InputError} when the block size is not a whole number, 1 or more.
 * @example
 * const evaluation = prepareEvaluation(problem);
 * const { loss, score } = await evaluation.evaluate(modelOf(state), problem.test);
 */
export function prepareEvaluation(
  problem: Problem,
  { blockSize = problem.constants ? "full" : usualBlock, ...engine }: EvaluationOptions = {},
): Evaluation {
  if (blockSize !== "full" && !(Number.isInteger(blockSize) && blockSize >= 1)) {
    throw new InputError(
      `invalid block size: ${blockSize} (give "full" or a whole number, 1 or more)`,
    );
  }
  const programs = new Map<number, Promise<Program>>();
  const programFor = (length: number, batch: Batch) => {
    const program = programs.get(length) ?? compileBlock(problem, batch, length, engine);
    programs.set(length, program);
    return program;
  };

  return {
    async evaluate(model, { batch, size }) {
      const length = blockSize === "full" ? size : Math.min(blockSize, size);
      const whole = Math.floor(size / length);
      const losses: Tensor[] = [];
      const scores: Tensor[] = [];
      // The last block may be shorter. It is not filled up: a forward pass may look at its samples
      // together, and samples that do not exist must not be among them.
      for (const [first, steps, samples] of [
        [0, whole, length],
        [whole * length, 1, size % length],
      ] as const) {
        if (samples === 0) continue;
        const program = await programFor(samples, batch);
        const { records } = await program.run({
          carry: {},
          inputs: { model: { ...model }, constants: problem.constants ?? {} },
          knobs: mapTree(batch, (leaf) => inBlocks(leaf, first, steps, samples)),
          steps,
        });
        const seen = records as { losses: Tensor; scores?: Tensor };
        losses.push(seen.losses);
        if (seen.scores) scores.push(seen.scores);
      }
      return {
        loss: meanOf(losses, size),
        score: problem.score && meanOf(scores, size),
      };
    },
    async dispose() {
      for (const opened of await Promise.allSettled(programs.values())) {
        if (opened.status === "fulfilled") await opened.value.dispose();
      }
    },
  };
}

interface Inputs {
  readonly model: { readonly params: ArrayTree; readonly statistics: ArrayTree };
  readonly constants: ArrayTree;
}

/** The forward pass on `length` samples: blocks of samples are knobs, and nothing is carried. */
function compileBlock(
  problem: Problem,
  batch: Tree<TensorType>,
  length: number,
  engine: EngineOptions,
): Promise<Program> {
  const { constants = {}, dtype } = problem;
  const types = mapTree(typesOf(batch), (leaf) => ({
    dtype: leaf.dtype,
    shape: [length, ...leaf.shape.slice(1)],
  }));
  const model = { params: problem.init(0), statistics: problem.initStatistics?.() ?? {} };
  return compile(
    {
      carry: {},
      inputs: typesOf({ model, constants }),
      knobs: types,
      step(carry, inputTree, block) {
        const { model, constants } = inputTree as unknown as Inputs;
        const samples = castBytes(block, types, dtype);
        const { losses, outputs } = checkedForward(
          problem,
          model.params,
          share(samples),
          {
            mode: "evaluate",
            statistics: problem.initStatistics && model.statistics,
            constants: problem.constants && constants,
          },
          length,
        );
        return {
          carry,
          record: { losses, ...(problem.score && { scores: scored(problem, outputs, samples) }) },
        };
      },
    },
    engine,
  );
}

function scored(problem: Problem, outputs: Forward["outputs"], samples: ArrayTree) {
  if (outputs !== undefined && problem.score) return problem.score(outputs, samples);
  throw new TypeError(
    `missing outputs: problem ${problem.name} has a score, and its forward pass returns none`,
  );
}

/** `steps` blocks of samples from sample `first` on, [steps, samples, …]: a view. */
export function inBlocks(
  { dtype, shape, data }: Tensor,
  first: number,
  steps: number,
  samples: number,
) {
  const each = sizeOf(shape.slice(1));
  const part = data.subarray(first * each, (first + steps * samples) * each);
  return wrap(part, [steps, samples, ...shape.slice(1)], dtype);
}

/** Mean over all elements, summed in float64. */
function meanOf(blocks: readonly Tensor[], size: number): number {
  let sum = 0;
  for (const { data } of blocks) for (const value of data) sum += value;
  return sum / size;
}
