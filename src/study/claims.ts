/** Claims on cells: how a worker takes a cell of a study and hands its results back. */
import type { Row } from "./cell.ts";
import type { Cell } from "./study.ts";

/** A cell that is ours to run, and where its results go. */
export interface ClaimedCell {
  readonly cell: Cell;
  /** Where an interrupted run of it stood. */
  readonly from?: Uint8Array | undefined;
  /** Aborted when the cell is no longer ours. */
  readonly lost?: AbortSignal | undefined;
  /** Add lines to the history. */
  append(history: string): Promise<void>;
  /** Keep where the run stands; everything appended so far belongs to it. */
  save(checkpoint: Uint8Array): Promise<void>;
  /**
   * Keep the row, and final parameters where they are given: the cell is done.
   *
   * @returns whether it was still ours to finish.
   */
  finish(row: Row, parameters?: Uint8Array): Promise<boolean>;
  /** Give the cell back unfinished. */
  release(): Promise<void>;
}

/** Where cells come from. */
export interface CellSource {
  /**
   * Claim a cell, if possible one that runs on the program of this key; `undefined` when there
   * are none left.
   */
  take(program: string | undefined): Promise<ClaimedCell | undefined>;
  /** Where several cells may be claimed at once; absent where they are claimed one by one. */
  readonly beside?: CellsBeside | undefined;
}

/** Cells of which runs may be taken side by side: those of one `ensembleKey`. */
export interface CellsBeside {
  /** How many cells beside this one are left. */
  count(cell: Cell): number;
  /** Claim at most so many of them. */
  take(cell: Cell, most: number): Promise<ClaimedCell[]>;
  /** Let a cell that was released be claimed again. */
  putBack(cell: Cell): void;
}
