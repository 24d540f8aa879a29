/** The status of a study, from its cells and rows. */
import { verdictName, type Row, type Status } from "./cell.ts";
import { canonicalJson } from "../run/spec.ts";
import type { Cell, Coordinates } from "./study.ts";

/** Cells that differ in their seed only. */
export interface CellGroup {
  readonly at: Coordinates;
  readonly cells: number;
  readonly done: number;
  /** How often each verdict occurs; failed cells count as `failed`. */
  readonly verdicts: { readonly [verdict: string]: number };
  /** Final losses in increasing order; those that are not finite are left out. */
  readonly losses: readonly number[];
  /** ρ/‖x₀‖ in increasing order, as it depends on the seed; none for rows of earlier versions. */
  readonly relativeRhos: readonly number[];
}

export interface StudyStatus {
  readonly cells: number;
  readonly done: number;
  readonly statuses: { readonly [S in Status]?: number };
  readonly groups: readonly CellGroup[];
  readonly failures: readonly Pick<Row, "cell" | "at" | "error">[];
  /** Rows of cells that the study no longer has. */
  readonly foreign: number;
  /** Rows of cells that have one already; left out while there are none. */
  readonly repeated?: number;
}

/** Count. */
export async function studyStatus(
  cells: readonly Cell[],
  rows: AsyncIterable<Row> | Iterable<Row>,
): Promise<StudyStatus> {
  const groups = new Map<
    string,
    { -readonly [Key in keyof CellGroup]: CellGroup[Key] } & Counters
  >();
  const groupOf = new Map<string, Counters>();
  for (const {
    id,
    at: { seed: _, ...at },
  } of cells) {
    const key = canonicalJson(at);
    let group = groups.get(key);
    if (group === undefined)
      groups.set(
        key,
        (group = { at, cells: 0, done: 0, verdicts: {}, losses: [], relativeRhos: [] }),
      );
    group.cells++;
    groupOf.set(id, group);
  }
  const statuses: { [S in Status]?: number } = {};
  const failures: StudyStatus["failures"][number][] = [];
  let done = 0;
  let foreign = 0;
  let repeated = 0;
  const seen = new Set<string>();
  for await (const row of rows) {
    const { cell, at, status, final, relativeRho, error } = row;
    const group = groupOf.get(cell);
    if (group === undefined) {
      foreign++;
      continue;
    }
    if (seen.has(cell)) {
      repeated++;
      continue;
    }
    seen.add(cell);
    done++;
    group.done++;
    statuses[status] = (statuses[status] ?? 0) + 1;
    const name = verdictName(row) ?? "failed";
    group.verdicts[name] = (group.verdicts[name] ?? 0) + 1;
    if (typeof final?.loss === "number") group.losses.push(final.loss);
    if (typeof relativeRho === "number") group.relativeRhos.push(relativeRho);
    if (status === "failed") failures.push({ cell, at, error });
  }
  for (const { losses, relativeRhos } of groups.values()) {
    losses.sort((a, b) => a - b);
    relativeRhos.sort((a, b) => a - b);
  }
  return {
    cells: cells.length,
    done,
    statuses,
    groups: [...groups.values()],
    failures,
    foreign,
    ...(repeated > 0 && { repeated }),
  };
}

interface Counters {
  cells: number;
  done: number;
  verdicts: { [verdict: string]: number };
  losses: number[];
  relativeRhos: number[];
}
