/** Rows of histories: a quantity by step. */
import type { MetricRow } from "lucid-sam/run";
import type { Quantity } from "./fields.ts";

/** A value at a step. */
export interface Value {
  readonly step: number;
  readonly value: number;
}

/** A quantity in a row. */
export function quantityOf(row: MetricRow, quantity: Quantity): number {
  if (quantity === "gradRatio") return row.shiftedGradNorm / row.gradNorm;
  if (quantity === "lossGap") return row.shiftedLoss - row.loss;
  return row[quantity];
}

/** A quantity by step. */
export const valuesOf = (rows: readonly MetricRow[], quantity: Quantity): Value[] =>
  rows.map((row) => ({ step: row.step, value: quantityOf(row, quantity) }));

/** The place of the last entry at or before a step; the first one where all are later, -1 in no rows. */
export function placeAt(rows: readonly { readonly step: number }[], step: number): number {
  let [low, high] = [0, rows.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((rows[middle]?.step ?? 0) <= step) low = middle;
    else high = middle - 1;
  }
  return Math.min(low, rows.length - 1);
}
