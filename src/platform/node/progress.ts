/** Progress for people, on stderr, so that stdout stays data. */
import { printable } from "../../engine/errors.ts";

/** The part of a stream that progress needs; `process.stderr` has it. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressOptions {
  /** Default `process.stderr`. */
  readonly stream?: ProgressStream;
  /** Milliseconds, from any origin; default the monotonic clock. */
  readonly now?: () => number;
}

/** A line that tells how far something is. */
export interface Progress {
  /** Show a new state. `text` is asked for only when it is time to show one. */
  update(text: () => string): void;
  /** Print a line that stays, above the progress. */
  note(text: string): void;
  /** End with a last state, or without one. */
  done(text?: string): void;
}

/** Milliseconds between states: on a terminal as the eye likes it, in a log sparingly. */
const terminalInterval = 100;
const logInterval = 5000;

/**
 * Start a progress line: on a terminal one line that is rewritten, at most ten times a second;
 * in a log or a pipe a line of its own every five seconds.
 */
export function startProgress({
  stream = process.stderr,
  now = () => performance.now(),
}: ProgressOptions = {}): Progress {
  const terminal = stream.isTTY === true;
  const interval = terminal ? terminalInterval : logInterval;
  let shown = terminal ? -Infinity : now();
  const erase = () => {
    if (terminal) stream.write("\r\u001B[K");
  };
  const show = (text: string) => {
    if (!terminal) {
      stream.write(`${text}\n`);
      return;
    }
    // A line that wraps could not be rewritten.
    stream.write(`\r\u001B[K${text.slice(0, (stream.columns ?? 80) - 1)}`);
  };
  return {
    update(text) {
      const time = now();
      if (time - shown < interval) return;
      shown = time;
      show(printable(text()));
    },
    note(text) {
      erase();
      stream.write(`${printable(text)}\n`);
      shown = terminal ? -Infinity : shown;
    },
    done(text) {
      erase();
      if (text !== undefined) stream.write(`${text}\n`);
    },
  };
}
