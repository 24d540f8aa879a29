/** Lines of bytes that come piece by piece. */

/** A line of a log. */
export interface Line {
  readonly text: string;
  /** Its number, from 1 on. */
  readonly line: number;
  /** Whether it ended without a line break. */
  readonly cut: boolean;
}

/** A splitter into lines: what has no line break yet waits, unless it is the end. */
export function splitLines(): (bytes: Uint8Array, ended: boolean) => Line[] {
  const decoder = new TextDecoder();
  let rest = "";
  let line = 0;
  return (bytes, ended) => {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    const last = parts.pop() ?? "";
    rest = ended ? "" : last;
    const whole = parts.map((text) => ({ text, line: ++line, cut: false }));
    return ended && last !== "" ? [...whole, { text: last, line: ++line, cut: true }] : whole;
  };
}
