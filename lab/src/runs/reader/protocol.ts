/** The protocol between the page and its reader: what is asked, and what it tells of files. */
import type { Certificate, Verdict, VerdictName, Warning } from "lucid-sam/diagnostics";
import type {
  Found,
  LogHeader,
  LogScreenOptions,
  StoredLandscape,
  StoredRun,
  StudyConfig,
} from "lucid-sam/read";
import type { MetricRow } from "lucid-sam/run";
import type { Row } from "lucid-sam/study";
import type { StoredPoint } from "../../engine/protocol.ts";

/** Something that was found among the files, or a file that is nothing known. */
export interface Item {
  readonly path: string;
  readonly kind: Found["kind"];
  /** `folder`: behind `lucid lab FOLDER`, and live. */
  readonly origin: "dropped" | "folder";
  /** How many files make it. */
  readonly files: number;
  /** Why it is nothing known. */
  readonly reason?: string | undefined;
}

/** A file that was dropped or chosen. */
export interface GivenFile {
  readonly path: string;
  readonly file: Blob;
}

/** Where a cell lies on the axes of its study. */
export interface CellPlace {
  readonly id: string;
  readonly at: { readonly [axis: string]: unknown };
}

/** What a table shows of the row of a cell. */
export interface CellRow {
  readonly cell: string;
  readonly status: Row["status"];
  /** The certificate's verdict; where there is none, or it could not decide, the screen's. */
  readonly verdict: VerdictName | null;
  readonly warned: number | null;
  readonly step: number | null;
  readonly loss: number | null;
  readonly shiftedLoss: number | null;
  readonly gradNorm: number | null;
  readonly gradRatio: number | null;
  readonly cosine: number | null;
  readonly train: number | null;
  readonly test: number | null;
  readonly relativeRho: number | null;
  readonly seconds: number | null;
  readonly error: string | null;
}

/** A row of a log: numbers by the names in it. */
export interface LoggedRow {
  readonly step: number;
  readonly values: { readonly [name: string]: number };
}

/** A log, and what its screen says. */
export interface ScreenedLog {
  readonly verdict: Verdict;
  readonly warning: Warning | undefined;
  readonly header: LogHeader | undefined;
  /** Rows in all, and rows with all that a judgment needs. */
  readonly count: number;
  readonly judged: number;
  /** Of a long log, every so many. */
  readonly rows: readonly LoggedRow[];
  readonly missing: readonly string[];
  readonly names: readonly string[];
  readonly earlierRuns: number;
  readonly remarks: readonly string[];
}

/** What is known of a tensor of a point. */
export interface TensorNote {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** ‖·‖₂ */
  readonly norm: number;
  /** Elements that are not finite. */
  readonly notFinite: number;
}

/** An exported problem, as far as a table shows it. */
export interface ProblemNote {
  readonly name: string;
  readonly parameters: readonly TensorNote[];
  readonly samples: number;
  readonly testSamples: number | undefined;
  readonly outputs: number | undefined;
  readonly guessLoss: number | undefined;
}

/** What was read of an item. */
export type Content =
  | { readonly kind: "run"; readonly run: StoredRun; readonly hasFinal: boolean }
  | {
      readonly kind: "study";
      readonly config: StudyConfig;
      readonly cells: readonly CellPlace[];
    }
  | { readonly kind: "log"; readonly log: ScreenedLog }
  | { readonly kind: "point"; readonly tensors: readonly TensorNote[] }
  | { readonly kind: "problem"; readonly problem: ProblemNote }
  | { readonly kind: "certificate"; readonly certificate: Certificate }
  | { readonly kind: "landscape"; readonly landscape: StoredLandscape };

/** How a log is screened, besides what it says itself. */
export type Screening = Pick<LogScreenOptions, "map" | "evidence">;

/** What is asked of a reader. */
export interface Requests {
  /** Take in files; those that came before stay. */
  take(files: readonly GivenFile[]): void;
  /** Forget all files that were dropped. */
  forget(): void;
  /** Read through the server at this address; `false` where there is none. */
  follow(base: string): boolean;
  /** Read an item and tell what becomes of it, until another one is opened. */
  open(path: string, screening: Screening): Content;
  /** The history of a cell of the open study so far. */
  history(cell: string): MetricRow[];
  /** The whole row of a cell of the open study. */
  row(cell: string): Row | undefined;
  /** What an engine needs to certify an item. */
  material(path: string): StoredPoint;
}

/** What a reader tells unasked. */
export type News =
  | {
      readonly kind: "items";
      readonly items: readonly Item[];
      /** Folders of the server; absent where there is none. */
      readonly folders?: readonly string[] | undefined;
      readonly truncated: boolean;
    }
  /** Rows of the open study; `anew`: instead of those before. */
  | {
      readonly kind: "rows";
      readonly path: string;
      readonly rows: readonly CellRow[];
      readonly anew: boolean;
    }
  /** All rows that are there have been told. */
  | { readonly kind: "read"; readonly path: string }
  /** The histories of these cells have grown. */
  | { readonly kind: "histories"; readonly path: string; readonly cells: readonly string[] }
  /** The open item is another one now, or more of it is there. */
  | { readonly kind: "content"; readonly path: string; readonly content: Content }
  /** Something of the open item is damaged: one line for the reader. */
  | { readonly kind: "trouble"; readonly path: string; readonly line: string }
  /** Whether the server is heard. */
  | { readonly kind: "connection"; readonly open: boolean };
