/** Marks of verdicts: one symbol and one color each, the same in every figure. */
import type { SymbolType } from "@observablehq/plot";
import type { VerdictName } from "../diagnostics/verdict.ts";

/** How a verdict is drawn. */
export interface Mark {
  /** The verdict in a legend. */
  readonly words: string;
  readonly symbol: SymbolType;
  readonly color: string;
  /** Drawn as an outline. */
  readonly hollow?: boolean;
}

/**
 * Blue: solved, or on the way. Warm colors: hallucinated. Green: at other critical points of the
 * loss. Gray: no point to speak of. The colors are those of Okabe and Ito (2008), with three of
 * the same kind from Paul Tol's schemes: told apart by color-blind people, on white and on black
 * paper, and where they are not, the symbol tells.
 */
export const verdictMarks: { readonly [Name in VerdictName]: Mark } = {
  minimizer: { words: "minimizer", symbol: "circle", color: "#0072b2" },
  descending: { words: "still descending", symbol: "circle", color: "#3a9bdc", hollow: true },
  "hallucinated-minimizer": {
    words: "hallucinated minimizer",
    symbol: "star",
    color: "#c2185b",
  },
  "hallucinated-saddle": { words: "hallucinated saddle", symbol: "diamond", color: "#e69f00" },
  "hallucinated-maximizer": {
    words: "hallucinated maximizer",
    symbol: "triangle",
    color: "#cc79a7",
  },
  "hallucinated-rest": { words: "hallucinated rest", symbol: "hexagon", color: "#8e44ad" },
  "near-hallucinated": {
    words: "near hallucinated",
    symbol: "square",
    color: "#d55e00",
    hollow: true,
  },
  "hallucinated-point": { words: "hallucinated point", symbol: "square", color: "#d55e00" },
  "trapped-at-saddle": { words: "trapped at a saddle", symbol: "cross", color: "#009e73" },
  saddle: { words: "saddle", symbol: "plus", color: "#44aa99", hollow: true },
  maximizer: { words: "maximizer", symbol: "triangle2", color: "#44aa99", hollow: true },
  oscillating: { words: "oscillating", symbol: "asterisk", color: "#888888", hollow: true },
  diverged: { words: "diverged", symbol: "times", color: "#888888", hollow: true },
  inconclusive: { words: "inconclusive", symbol: "square2", color: "#888888", hollow: true },
};
