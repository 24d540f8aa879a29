/** Notes: what the page needs to know of rows, tensors and problems, and no more. */
import type { Tensor } from "lucid-sam/engine";
import type { Problem } from "lucid-sam/problems";
import type { Row } from "lucid-sam/study";
import type { CellRow, LoggedRow, ProblemNote, TensorNote } from "./protocol.ts";

/** What a table shows of a row. */
export function cellRow(row: Row): CellRow {
  const { final, certificate, verdict } = row;
  const certified = certificate?.verdict.name ?? "inconclusive";
  return {
    cell: row.cell,
    status: row.status,
    verdict: certified === "inconclusive" ? (verdict?.name ?? null) : certified,
    warned: row.warning?.step ?? null,
    step: final?.step ?? null,
    loss: final?.loss ?? null,
    shiftedLoss: final?.shiftedLoss ?? null,
    gradNorm: final?.gradNorm ?? null,
    gradRatio: final?.gradRatio ?? null,
    cosine: final?.cosine ?? null,
    train: final?.trainAccuracy ?? null,
    test: final?.testAccuracy ?? null,
    relativeRho: row.relativeRho ?? null,
    seconds: row.provenance.seconds ?? null,
    error: row.error,
  };
}

/** What is known of tensors by name. */
export const tensorNotes = (tensors: Readonly<Record<string, Tensor>>): TensorNote[] =>
  Object.entries(tensors).map(([name, { data, dtype, shape }]) => {
    let [squares, notFinite] = [0, 0];
    for (const value of data) {
      if (Number.isFinite(value)) squares += value ** 2;
      else notFinite++;
    }
    return { name, dtype, shape: [...shape], norm: Math.sqrt(squares), notFinite };
  });

/** What is known of a problem. */
export function problemNote(problem: Problem): ProblemNote {
  return {
    name: problem.name,
    parameters: tensorNotes(named(problem.init(0))),
    samples: problem.train.size,
    testSamples: problem.test?.size,
    outputs: problem.outputs,
    guessLoss: problem.guessLoss,
  };
}

/** Tensors of a tree by their paths. */
function named(tree: unknown, path = ""): Record<string, Tensor> {
  if (typeof tree !== "object" || tree === null) return {};
  if ("dtype" in tree && "data" in tree) return { [path]: tree as Tensor };
  return Object.fromEntries(
    Object.entries(tree).flatMap(([key, value]) =>
      Object.entries(named(value, path === "" ? key : `${path}/${key}`)),
    ),
  );
}

/** Keeps at most so many rows of however many come, evenly spread. */
export function thinner(most: number) {
  let rows: LoggedRow[] = [];
  let stride = 1;
  let count = 0;
  return {
    push(row: LoggedRow) {
      if (count++ % stride === 0) rows.push(row);
      if (rows.length <= most) return;
      rows = rows.filter((_, i) => i % 2 === 0);
      stride *= 2;
    },
    get rows(): readonly LoggedRow[] {
      return rows;
    },
    get count() {
      return count;
    },
  };
}
