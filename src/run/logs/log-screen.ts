/** The screen of a log: rows that anybody wrote, under whatever names, as the screen takes them. */
import { InputError, unknownName } from "../../engine/errors.ts";
import { createScreen, type EvidenceKind, type Warning } from "../../diagnostics/screen/screen.ts";
import { furtherColumns, neededColumns } from "../../diagnostics/screen/signals.ts";
import type { Verdict } from "../../diagnostics/verdict.ts";
import type { FloatType } from "../../problems/problem.ts";
import type { LogEntry, LogHeader, LogRow } from "./rows.ts";

/** Columns that a screen looks for in a log. */
export const logColumns = [...neededColumns, ...furtherColumns, "skipped"] as const;

type LogColumn = (typeof logColumns)[number];

/** What rows were taken on, as a header or a flag may say it. */
export const evidenceKinds: readonly EvidenceKind[] = ["full", "probe", "batch"];

/** How a log is to be taken. */
export interface LogScreenOptions {
  /** Names in the log by our own: `{ gradNorm: "train/gn" }`. Others are looked for under our names. */
  readonly map?: { readonly [column: string]: string } | undefined;
  /** What rows were taken on; default: as the header says, or each step's own mini-batch. */
  readonly evidence?: EvidenceKind | undefined;
  /** Default: as the header says, or float32. */
  readonly dtype?: FloatType | undefined;
  /** Loss of the best constant answer; default: that of the first row stands for it. */
  readonly guessLoss?: number | undefined;
}

/** A row with all that a judgment needs. */
export type SeenRow = { readonly step: number } & { readonly [Name in LogColumn]?: number };

/** What became of a log so far. */
export interface LogScreen {
  /** Take in entries; returns a warning when they are the first to support one. */
  push(entries: readonly LogEntry[]): Warning | undefined;
  /** Take in what waits for more of its step: the log has ended. */
  end(): Warning | undefined;
  readonly verdict: Verdict;
  readonly warning: Warning | undefined;
  /** Of the last run in the log. */
  readonly header: LogHeader | undefined;
  /** Rows of the last run that were judged; of a long one, every so many. */
  readonly rows: readonly SeenRow[];
  /** How many rows were judged. */
  readonly count: number;
  /** Needed columns that no row has. */
  readonly missing: readonly string[];
  /** All names in the log. */
  readonly names: readonly string[];
  /** Runs in the log that were begun before the last one. */
  readonly earlierRuns: number;
  /** What the numbers say about how the log was made. */
  readonly remarks: readonly string[];
}

/** Rows kept for pictures. */
const mostRows = 2000;

/**
 * A screen of a log.
 *
 * A row whose step is not above that of the first begins a new run: a log that is written anew, or
 * that several runs were added to, is judged by its last. Rows of one step are put together.
 *
 * @throws {InputError} for a column in `map` that the screen does not know.
 */
export function createLogScreen(options: LogScreenOptions = {}): LogScreen {
  const { map = {} } = options;
  for (const column of Object.keys(map)) {
    if (column !== "step" && !logColumns.some((known) => known === column)) {
      throw unknownName("column", column, ["step", ...logColumns]);
    }
  }
  const twice = Object.values(map).find((name, i, all) => all.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new InputError(`invalid map: "${twice}" stands for two columns (give each its own)`);
  }
  let header: LogHeader | undefined;
  let run = newRun(options, header);
  let earlierRuns = 0;
  /** A row that may not be whole yet. */
  let waiting: LogRow | undefined;
  let lines = 0;
  const names = new Set<string>();

  const flush = (): Warning | undefined => {
    if (waiting === undefined) return undefined;
    const { step = lines - 1, values } = waiting;
    waiting = undefined;
    const signals = signalsOf(values, map);
    // Logs may hold more than ours, such as the loss of every step.
    if (!isWhole(signals)) {
      run.passOver(signals);
      return undefined;
    }
    if (run.count > 0 && (step < run.first || (step === run.first && run.last > step))) {
      earlierRuns++;
      run = newRun(options, header);
    }
    return run.push(step, signals, values["lr"]);
  };

  return {
    push(entries) {
      const warnings: (Warning | undefined)[] = [];
      for (const entry of entries) {
        if ("header" in entry) {
          warnings.push(flush());
          ({ header } = entry);
          if (run.rows.length === 0) run = newRun(options, header);
          continue;
        }
        const row = counted(entry.row, map);
        for (const name of Object.keys(row.values)) names.add(name);
        const isSame = row.step !== undefined && row.step === waiting?.step;
        if (!isSame) warnings.push(flush());
        lines++;
        waiting = isSame ? { ...row, values: { ...waiting?.values, ...row.values } } : row;
        // A whole row is judged at once.
        if (isWhole(signalsOf(waiting.values, map))) warnings.push(flush());
      }
      return warnings.find((warning) => warning !== undefined);
    },
    end: flush,
    get verdict() {
      return run.verdict();
    },
    get warning() {
      return run.warning;
    },
    get header() {
      return header;
    },
    get rows() {
      return run.rows;
    },
    get count() {
      return run.count;
    },
    get missing() {
      return run.missing;
    },
    get names() {
      return [...names];
    },
    get earlierRuns() {
      return earlierRuns;
    },
    get remarks() {
      return run.remarks;
    },
  };
}

type Signals = { readonly [Name in LogColumn]?: number };

/** The row with the step that `map` names. */
function counted(row: LogRow, { step }: { readonly [column: string]: string }): LogRow {
  const own = step === undefined ? row.step : row.values[step];
  return { ...row, step: own !== undefined && Number.isFinite(own) ? own : undefined };
}

/** The columns in a row: by the names given, by ours, or by ours behind a path, as in `train/loss`. */
function signalsOf(values: LogRow["values"], map: { readonly [column: string]: string }): Signals {
  const found: { [Name in LogColumn]?: number } = {};
  for (const column of logColumns) {
    const value =
      map[column] === undefined
        ? (values[column] ??
          Object.entries(values).find(([name]) => name.endsWith(`/${column}`))?.[1])
        : values[map[column]];
    if (value !== undefined) found[column] = value;
  }
  return found;
}

const isWhole = (signals: Signals): boolean =>
  neededColumns.every((column) => signals[column] !== undefined);

/** One run of a log. */
function newRun({ evidence, dtype, guessLoss }: LogScreenOptions, header: LogHeader | undefined) {
  const given = header?.["guessLoss"];
  const about = {
    dtype: dtype ?? (header?.dtype === "float64" ? "float64" : "float32"),
    engine: typeof header?.torch === "string" ? `torch ${header.torch}` : "unknown",
    evidence: evidence ?? evidenceKinds.find((kind) => kind === header?.evidence) ?? "batch",
    guessLoss: guessLoss ?? (typeof given === "number" ? given : undefined),
  } as const;
  const screen = createScreen(about);
  let rows: SeenRow[] = [];
  let stride = 1;
  let [first, last, count] = [Infinity, -Infinity, 0];
  /** Rows of which something odd is true. */
  const odd = { level: 0, still: 0, constant: 0 };
  let before: number | undefined;
  const seen = new Set<string>();
  return {
    get first() {
      return first;
    },
    get last() {
      return last;
    },
    get count() {
      return count;
    },
    get rows(): readonly SeenRow[] {
      return rows;
    },
    get warning() {
      return screen.warning;
    },
    get missing(): string[] {
      return count > 0 ? [] : neededColumns.filter((column) => !seen.has(column));
    },
    passOver(signals: Signals) {
      for (const name of Object.keys(signals)) seen.add(name);
    },
    push(step: number, signals: Signals, rate: number | undefined): Warning | undefined {
      first = Math.min(first, step);
      last = Math.max(last, step);
      if (count % stride === 0) rows.push({ step, ...signals });
      count++;
      if (rows.length > mostRows) {
        rows = rows.filter((_, i) => i % 2 === 0);
        stride *= 2;
      }
      if (signals.loss === signals.shiftedLoss) odd.level++;
      if (rate === 0) odd.still++;
      if (signals.loss === before) odd.constant++;
      before = signals.loss;
      const columns = Object.entries(signals).map(([name, value]) => [name, [value]] as const);
      return screen.push({
        first: step,
        count: 1,
        step: [step],
        ...Object.fromEntries(columns),
      });
    },
    verdict(): Verdict {
      if (count > 0 || seen.size === 0) return screen.verdict();
      // Only a screen of rows that lack something says so.
      const lacking = createScreen(about);
      const present = Object.fromEntries([...seen].map((name) => [name, [0]]));
      lacking.push({ first: 0, count: 1, ...present });
      return lacking.verdict();
    },
    get remarks(): string[] {
      const all = (rows: number) => count > 1 && rows >= count - 1;
      return [
        ...(all(odd.level)
          ? [
              "f(x⁺) is f(x) in every row: SAM is off. Is ρ 0, or are both losses taken at the same weights?",
            ]
          : []),
        ...(all(odd.still)
          ? [
              "The learning rate is 0 in every row: nothing moves. Does the scheduler act on other param_groups than the optimizer?",
            ]
          : []),
        ...(all(odd.constant) ? ["The loss is the same in every row: nothing is trained."] : []),
      ];
    },
  };
}
