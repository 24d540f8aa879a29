/** The terminal of a command: what it writes to, and how it ends before its time. */
import type { ProgressStream } from "../../platform/node/progress.ts";

export interface Terminal {
  /** Data, and nothing else: stdout. */
  readonly out: (text: string) => void;
  /** Progress, notes, errors: stderr. */
  readonly err: ProgressStream;
  /** Width of what shows the data; absent where it goes to a file or a pipe. */
  readonly columns?: number | undefined;
}

/** The terminal of this process. */
export const processTerminal: Terminal = {
  out: (text) => process.stdout.write(text),
  err: process.stderr,
  get columns() {
    return process.stdout.columns as number | undefined;
  },
};

/** Thrown by a command that was stopped by Ctrl-C and has left everything in good order. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** Thrown by a command that has found what it was told to fail on, once it has said so. */
export class Alarm extends Error {
  override readonly name = "Alarm";
}

/** Print one JSON document. Numbers that are not finite become `null`. */
export function printJson({ out }: Terminal, document: unknown): void {
  out(`${JSON.stringify(document)}\n`);
}
