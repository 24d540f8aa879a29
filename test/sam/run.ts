/** Short training for tests: a few steps, and everything that was reported. */
import type { EngineChoice } from "../../src/engine/index.ts";
import { leavesOf, type Tensor, type Tree } from "../../src/engine/tensor.ts";
import type { Problem } from "../../src/problems/problem.ts";
import type { Method } from "../../src/sam/contract/method.ts";
import type { Records } from "../../src/sam/training/records.ts";
import type { TrainingState } from "../../src/sam/training/state.ts";
import { compileTraining } from "../../src/sam/training/training.ts";

export interface Run {
  readonly state: TrainingState;
  /** Parameters before every step, and after the last: all leaves one after another. */
  readonly points: number[][];
  readonly ascentPoints: number[][];
  /** A column of the records. */
  readonly column: (name: Column) => number[];
  readonly detail: (name: string) => number[];
}

type Column = Exclude<keyof Records, "first" | "count" | "details" | "point" | "ascentPoint">;

export interface RunOptions {
  readonly problem: Problem;
  readonly method: Method;
  readonly steps: number;
  readonly engine?: EngineChoice;
  readonly batchSize?: number | "full";
  readonly seed?: number;
  readonly from?: TrainingState;
  readonly until?: number;
}

/** All numbers of a tree, leaf after leaf. */
export const flat = (tree: Tree<Tensor>): number[] =>
  leavesOf(tree).flatMap(({ data }) => Array.from(data));

/** Every step's slice of stacked records, leaves one after another. */
function rows(tree: Tree<Tensor>, count: number): number[][] {
  return Array.from({ length: count }, (_, i) =>
    leavesOf(tree).flatMap(({ data }) => {
      const size = data.length / count;
      return Array.from(data.subarray(i * size, (i + 1) * size));
    }),
  );
}

export async function run({
  problem,
  method,
  engine = "jax",
  batchSize = "full",
  ...options
}: RunOptions): Promise<Run> {
  const training = await compileTraining({
    problem,
    method,
    engine,
    batchSize,
    recordPoints: true,
  });
  const chunks: Records[] = [];
  const state = await training.run({
    ...options,
    onRecords: (records) => void chunks.push(records),
  });
  await training.dispose();
  const points = (name: "point" | "ascentPoint") =>
    chunks.flatMap((chunk) => rows(chunk[name] as Tree<Tensor>, chunk.count));
  return {
    state,
    points: [...points("point"), flat(state.carry.params)],
    ascentPoints: points("ascentPoint"),
    column: (name) => chunks.flatMap((chunk) => Array.from(chunk[name])),
    detail: (name) => chunks.flatMap((chunk) => Array.from(chunk.details[name] ?? [])),
  };
}
