/** Rows of cells: what a study keeps of a run, whatever happened, and its thinned history. */
import { z } from "zod";
import { rounded } from "../engine/digits.ts";
import { InputError } from "../engine/errors.ts";
import type { Certificate } from "../diagnostics/certificate/certificate.ts";
import type { Warning } from "../diagnostics/screen/screen.ts";
import type { Verdict, VerdictName } from "../diagnostics/verdict.ts";
import type { Machine } from "../platform/machine.ts";
import { strideFor, type Final, type MetricRow } from "../run/history.ts";
import type { Provenance, RunResult } from "../run/run.ts";
import { formatChecked, withoutCheck } from "../run/checked.ts";
import type { RunSpec } from "../run/spec.ts";
import { cellId, type Cell, type Coordinates } from "./study.ts";

/**
 * `ok`: ran to its end, whatever the verdict. `inconclusive`: so did it, but no verdict could be
 * reached. `diverged`: left all bounds. `failed`: could not be run.
 */
export type Status = "ok" | "inconclusive" | "diverged" | "failed";

/** The result of one cell. */
export interface Row {
  /** Identity of the cell: the hash of its spec. */
  readonly cell: string;
  readonly status: Status;
  readonly at: Coordinates;
  readonly spec: RunSpec;
  /** `null`, as everything below, when the cell failed. */
  readonly final: Final | null;
  /** See `RunResult`; absent from rows of earlier versions. */
  readonly relativeRho?: number | null | undefined;
  readonly verdict: Verdict | null;
  /** Where the study asks for it: what the end point is, by its curvature. */
  readonly certificate: Omit<Certificate, "seconds"> | null;
  /** The first warning of the screen, if it gave one. */
  readonly warning: Warning | null;
  /** Gradient evaluations spent. */
  readonly evaluations: number | null;
  /** Why the cell failed, in one line. */
  readonly error: string | null;
  readonly provenance: RowProvenance;
}

/** Where a row comes from. Rows of the same cell agree in everything but this. */
export interface RowProvenance extends Machine, Partial<Omit<Provenance, keyof Machine>> {
  /** When the cell ended, in ISO 8601. */
  readonly finished: string;
  /** What the cell took in all, in seconds; `seconds` are those spent in steps. */
  readonly wallSeconds: number;
  readonly certifySeconds?: number;
}

/** The row of a cell that ran to its end. */
export function finishedRow(
  { id, at }: Cell,
  { spec, final, relativeRho, verdict, warning, evaluations, provenance }: RunResult,
  times: Pick<RowProvenance, "finished" | "wallSeconds">,
  certificate: Certificate | null = null,
): Row {
  const { name } = verdict;
  return {
    cell: id,
    status: name === "diverged" || name === "inconclusive" ? name : "ok",
    at,
    spec,
    final,
    relativeRho,
    verdict,
    certificate: certificate && withoutTime(certificate),
    warning,
    evaluations,
    error: null,
    provenance: {
      ...provenance,
      ...times,
      ...(certificate && { certifySeconds: certificate.seconds }),
    },
  };
}

const object = z.looseObject({});

/** What readers of rows rely on. Rows of older versions lack some entries of today's. */
const rowSchema = z.looseObject({
  cell: cellId,
  status: z.enum(["ok", "inconclusive", "diverged", "failed"]),
  at: object,
  spec: object,
  final: z.looseObject({ loss: z.number().nullable() }).nullable(),
  verdict: z.looseObject({ name: z.string() }).nullable(),
  certificate: z.looseObject({ verdict: z.looseObject({ name: z.string() }) }).nullish(),
  error: z.string().nullable(),
  provenance: object,
});

/** The row that a value read from somewhere is; `undefined` when it is none. */
export const asRow = (value: unknown): Row | undefined =>
  // As it was read: a schema's output has its keys in another order.
  rowSchema.safeParse(value).success ? (value as Row) : undefined;

const cellSchema = z.looseObject({ id: cellId, at: object, spec: object });

/** The cell that a value read from somewhere is; `undefined` when it is none. */
export const asCell = (value: unknown): Cell | undefined =>
  cellSchema.safeParse(value).success ? (value as Cell) : undefined;

/** What is said about a cell: its certificate's verdict where there is one, else the screen's. */
export const verdictName = ({ certificate, verdict }: Row): VerdictName | undefined =>
  certificate?.verdict.name ?? verdict?.name;

/** Rows of the same cell must agree. */
function withoutTime(certificate: Certificate): Row["certificate"] {
  const { seconds: _seconds, ...rest } = certificate;
  return rest;
}

/** The row of a cell that could not be run. */
export function failedRow({ id, at, spec }: Cell, error: string, provenance: RowProvenance): Row {
  return {
    cell: id,
    status: "failed",
    at,
    spec,
    final: null,
    relativeRho: null,
    verdict: null,
    certificate: null,
    warning: null,
    evaluations: null,
    error,
    provenance,
  };
}

/** Significant digits of histories: about those of float32. */
const digits = 7;

/** Rows of a history as lines of JSON with checksums; numbers that are not finite become `null`. */
export const formatHistory = (rows: readonly MetricRow[]): string =>
  rows.map((row) => `${formatChecked(row, undefined, shorten)}\n`).join("");

const shorten = (_: string, value: unknown) =>
  typeof value === "number" && Number.isFinite(value) ? rounded(value, digits) : value;

/**
 * The rows of a history: every so many steps from the first one on, and what the run ended with.
 *
 * @param file what errors call the text.
 * @throws {InputError} when a line is no row, or not what was written, or lines are missing, doubled
 *   or in another order. Lines that are missing at the end are no fault: the run may go on.
 */
export function parseHistory(text: string, file = "history"): MetricRow[] {
  const rows = parseRows(text, file);
  const stride = rows[1]?.step ?? 1;
  const wrong = rows.findIndex(({ step }, i) =>
    // The last row may come sooner: a run need not end on a step that is kept.
    i < rows.length - 1
      ? step !== i * stride
      : step > i * stride || step <= (rows[i - 1]?.step ?? -1),
  );
  if (wrong < 0) return rows;
  throw new InputError(
    `invalid file ${file}: step ${rows[wrong]?.step} in line ${wrong + 1} (lines are missing or in another order)`,
  );
}

/**
 * The rows of all complete lines, with checksums or, from older versions, without: a crash may have
 * cut the last one.
 *
 * @param file what errors call the text.
 * @throws {InputError} when a line is no row, or not what was written.
 */
export function parseRows(text: string, file = "history"): MetricRow[] {
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  return lines.flatMap((line, i) => {
    if (line === "") return [];
    const row = parseHistoryRow(line);
    if (row !== undefined) return [row];
    throw new InputError(
      `invalid file ${file}: line ${i + 1} is not a row of a history (it was damaged or changed)`,
    );
  });
}

function parseHistoryRow(line: string): MetricRow | undefined {
  try {
    const row: unknown = JSON.parse(withoutCheck(line) ?? "", (_, value: unknown) =>
      value === null ? NaN : value,
    );
    return metricSchema.safeParse(row).success ? (row as MetricRow) : undefined;
  } catch {
    return undefined;
  }
}

/** Any number: zod's own refuses those that are not finite. */
const numeric = z.custom<number>((value) => typeof value === "number");
const pointSchema = z.tuple([numeric, numeric]).optional();
const metricSchema = z.looseObject({
  step: z.int(),
  loss: numeric,
  shiftedLoss: numeric,
  gradNorm: numeric,
  shiftedGradNorm: numeric,
  cosine: numeric,
  point: pointSchema,
  ascentPoint: pointSchema,
  details: z.record(z.string(), numeric).optional(),
});

/** The stride of a cell's history unless the study says otherwise: at most 256 rows. */
export const historyStride = (steps: number): number => strideFor(steps, 256);
