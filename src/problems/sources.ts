/** Sources: where a run's samples, and problems of one's own, come from. */
import type { DatasetLoader } from "./datasets/entry.ts";
import type { FloatType, Problem } from "./problem.ts";
import type { Table } from "./table.ts";

/** What a problem file is told. */
export interface ProblemFileContext {
  /** The table that `--data` names; absent without it. */
  readonly table: Table | undefined;
  /** What the run computes in. */
  readonly dtype: FloatType;
}

/** What a problem file exports by default: a problem, or a function that makes one. */
export type ProblemFile = Problem | ((context: ProblemFileContext) => Problem | Promise<Problem>);

/** Brings what a run is made of: from generators, files, the network. */
export interface Sources {
  readonly dataset: DatasetLoader;
  /** The problem that a file of one's own defines, over the table in another. */
  problem(file: string, table: string | undefined, dtype: FloatType): Promise<Problem>;
}
