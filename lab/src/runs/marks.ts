/** Marks of verdicts, as figures have them: a color, a symbol and words each. */
import type { VerdictName } from "lucid-sam/diagnostics";
import { verdictMarks, verdictSymbol } from "lucid-sam/figures";

/** What stands for a verdict, or for a cell without one. */
export interface Look {
  readonly words: string;
  readonly color: string;
  /** Drawn as an outline. */
  readonly hollow: boolean;
  /** Outline of the symbol around (0, 0), about 10 wide. */
  readonly path: string;
}

const looks = new Map<string, Look>();
const others: Readonly<Record<string, Look>> = {
  failed: { words: "failed", color: "#888888", hollow: true, path: "M-4,-4L4,4M-4,4L4,-4M-5,0H5" },
  "not yet": { words: "not yet", color: "#888888", hollow: true, path: "M-4,0H4" },
};

const isVerdict = (name: string): name is VerdictName => Object.hasOwn(verdictMarks, name);

/** How a verdict, `failed` or `not yet` is drawn. */
export function lookOf(name: string): Look {
  if (!isVerdict(name)) return others[name] ?? (others["not yet"] as Look);
  const known = looks.get(name);
  if (known) return known;
  const { words, color, hollow = false } = verdictMarks[name];
  const look = { words, color, hollow, path: verdictSymbol(name, document) };
  looks.set(name, look);
  return look;
}

/** Verdicts in the order of legends, then what is none. */
export const lookOrder: readonly string[] = [...Object.keys(verdictMarks), "failed", "not yet"];
