/** The page of a log: what the run in it is, when that showed, and what was seen. */
import type { Warning } from "../diagnostics/screen/screen.ts";
import type { Verdict } from "../diagnostics/verdict.ts";
import { signalsFigure, type SignalRun } from "../figures/signals.ts";
import { verdictMarks } from "../figures/marks.ts";
import { capitalized, escape, htmlTable, page, picture } from "./page.ts";
import { short, whole } from "./words.ts";

/** A log as it was judged. */
export interface LogPageOptions {
  /** The log's name. */
  readonly name: string;
  readonly verdict: Verdict;
  readonly warning: Warning | undefined;
  readonly rows: SignalRun["rows"];
  /** Further sentences. */
  readonly remarks: readonly string[];
}

/** The page, as HTML that needs nothing but itself. */
export function logPage({ name, verdict, warning, rows, remarks }: LogPageOptions): string {
  const words = capitalized(verdictMarks[verdict.name].words);
  return page(
    `lucid screen: ${words}`,
    `<h1>${words}</h1>
<p class="lead">${escape(verdict.sentence)}</p>
${warning ? `<p><strong>Warned at step ${whole(warning.step)}.</strong> ${escape(warning.sentence)}</p>` : "<p>No warning.</p>"}
${remarks.map((remark) => `<p>${escape(remark)}</p>`).join("\n")}
${
  rows.length === 0
    ? ""
    : picture(
        signalsFigure({ rows, verdict: verdict.name, warning }),
        "Where the dashed loss, that at the ascent point x⁺, lies above the other, looking ahead raises it. GradRatio below the dotted line: the gradient that SAM follows has all but vanished. A cosine near 0: SAM moves across the slope, not down it.",
      )
}
<h2>The numbers</h2>
${htmlTable(
  ["", "value"],
  Object.entries(verdict.numbers).map(([key, value]) => [escape(key), short(value)]),
)}
<p class="small">${escape(name)}. Thresholds: ${Object.entries(verdict.tolerances)
      .map(([key, value]) => `${key} ${short(value)}`)
      .join(
        ", ",
      )}. A screen reads off what the optimizer saw; it may be wrong. A certificate settles
what a point is: <code>lucid certify</code>.</p>`,
  );
}
