/** The demo's results in words: a table for the terminal, a page for the browser. */
import type { Certificate } from "../../diagnostics/certificate/certificate.ts";
import { rounded } from "../../engine/digits.ts";
import { isHallucinated, type Verdict } from "../../diagnostics/verdict.ts";
import type { Figure } from "../../figures/figure.ts";
import { verdictMarks } from "../../figures/marks.ts";
import { methodWords, type FigureRun } from "../../figures/runs.ts";
import type { Row } from "../../study/cell.ts";
import { radiusWords } from "../../run/radius.ts";
import type { Final } from "../../run/history.ts";
import { capitalized, escape, htmlTable, page, picture, verdictTag } from "../../report/page.ts";
import { short, whole } from "../../report/words.ts";

/** The row of a run that was run to its end. */
export type FinishedRow = Row & { readonly final: Final; readonly verdict: Verdict };

export interface DemoRun extends FigureRun {
  readonly result: FinishedRow;
}

/** Heads of the columns of {@link runCells}. */
export const runColumns = [
  "method",
  "ρ",
  "ρ/‖x₀‖",
  "verdict",
  "loss",
  "GradRatio",
  "train",
  "test",
  "first warned",
] as const;

/** What the table says about a run. */
export function runCells({ result }: DemoRun): string[] {
  const { spec, final, relativeRho = null, verdict, warning } = result;
  return [
    methodWords(spec),
    String(spec.rho),
    relativeRho === null ? "–" : String(rounded(relativeRho, 2)),
    verdict.name,
    short(final.loss),
    short(final.gradRatio),
    percent(final.trainAccuracy),
    percent(final.testAccuracy),
    warning === null ? "–" : `step ${whole(warning.step)}`,
  ];
}

const percent = (fraction: number | null) =>
  fraction === null ? "–" : `${(100 * fraction).toFixed(1)} %`;

/** Training accuracy from which on a run counts as having learned its images. */
const learned = 0.95;

/** One sentence per method: how many runs learned, and what became of the others. */
export function tally(runs: readonly DemoRun[]): string {
  const groups = Map.groupBy(runs, ({ result }) => methodWords(result.spec));
  return [...groups]
    .map(([name, group]) => {
      const good = group.filter(({ result }) => (result.final.trainAccuracy ?? 0) >= learned);
      const others = group
        .filter((run) => !good.includes(run))
        .map(
          ({ result }) =>
            `at ${radiusWords(result.spec.rho, [result.relativeRho])} ${verdictMarks[result.verdict.name].words}`,
        );
      const rest = others.length === 0 ? "" : `; the others ended ${others.join(", ")}`;
      return `${capitalized(name)}: ${good.length} of ${group.length} runs learned their images${rest}.`;
    })
    .join("\n");
}

/** A page that needs nothing but itself. */
export function demoReport(
  runs: readonly DemoRun[],
  figures: { readonly [Name in "ridge" | "loss" | "grad-ratio" | "final-loss"]: Figure },
  certificates: readonly Certificate[],
): string {
  const { spec, provenance } = (runs[0] as DemoRun).result;
  const images = `${whole(Number(spec["n"]))} images of ${spec.data}`;
  const hidden = String(spec["hidden"]).replaceAll(",", ", ");
  const stalled = runs.filter(({ result }) => isHallucinated(result.verdict.name));
  const [certificate] = certificates;
  return page(
    "lucid demo: when SAM hallucinates",
    `<h1>When SAM hallucinates</h1>
<p class="lead">${tally(runs).split("\n").map(escape).join("<br>")}</p>

<h2>What SAM does</h2>
<p>Sharpness-aware minimization (SAM) does not follow the gradient where it stands. At x it takes
the gradient g, looks a distance ρ up the slope, at x⁺ = x + ρ g/‖g‖, and then moves x against the
gradient it finds <em>there</em>, the shifted gradient g⁺. It comes to rest where g⁺ = 0. That need not be
where g = 0.</p>

<h2>What a hallucinated minimizer is</h2>
<p>A point where SAM stands still although the loss does not: g⁺ has vanished, g has not. Looking from x,
SAM sees x⁺ sitting in a minimum and is content; x itself is on a slope, and plain gradient descent would
walk on. Park, Jang, Ryu and Yang (2025, arXiv 2509.21818) proved that such points exist.</p>
${picture(
  figures.ridge,
  `Two valleys, where the loss is least, and a ridge between them. Gradient descent ends in a valley from
both starts. SAM ends halfway up the ridge, since x⁺ lies in the other valley; from the right-hand start it
crosses a valley on the way.`,
)}
${certificate ? `<p>At its first end point, certified in float64: ${escape(certificate.verdict.sentence)} ${escape(certificate.attracting.sentence)}</p>` : ""}

<h2>The same in networks</h2>
<p>Here a network with ${escape(hidden)} hidden tanh units learns
${escape(images)} by full-batch steps with learning rate ${spec.lr}, ${whole(spec.steps)} steps long, from the
same initial parameters each time (seed ${spec.seed}). What differs is ρ, and whether SAM begins at once or
after plain gradient descent for the first tenth.</p>
${picture(figures.loss, "Stalled runs stay at the loss of a network that guesses.")}
${picture(
  figures["grad-ratio"],
  `The telltale: where a run is hallucinating, the gradient SAM follows dies out while the true one stays. Jagged
lines are runs that bounce.`,
)}
${picture(figures["final-loss"], "Every run by where it ended; the mark is the verdict.")}

<h2>All runs</h2>
${htmlTable([...runColumns, "cell"], runs.map(tableCells))}
<p>GradRatio is ‖g⁺‖/‖g‖ at the end. The verdicts come from the screen, which watches what the optimizer sees
anyway, costs nothing, and can be wrong: it does not examine curvature, so a hallucinated point may be a
minimizer or a saddle of what SAM sees.${
      stalled.length > 0
        ? ` The screen warned of ${stalled.filter(({ result }) => result.warning !== null).length} of the ${stalled.length} hallucinating runs while they were under way.`
        : ""
    }</p>

<h2>Run by run</h2>
${runs.map(runSection).join("\n")}

<h2>What to do about it</h2>
<ul>
<li>Watch GradRatio, not only the loss: <code>lucid train</code> does, and warns.</li>
<li>Use a smaller ρ.</li>
<li>Begin with plain descent and switch SAM on later: <code>lucid train --switch 0.1</code>. At the
largest ρ even that may not be enough.</li>
</ul>
<p class="small">Made by lucid-sam ${escape(provenance.version)}${provenance.commit ? `, commit ${escape(provenance.commit.slice(0, 12))}${provenance.dirty ? " with changes" : ""}` : ""}, on
${escape(provenance.runtime)}, ${escape(provenance.platform)}, engine ${escape(provenance.engine ?? "")} (${escape(provenance.device ?? "")}). All numbers:
rows.jsonl beside this file, where the last column of the table names the row.</p>`,
  );
}

/** Its cells, and last the cell of the study, which names its row in rows.jsonl. */
const tableCells = (run: DemoRun): string[] => [
  ...runCells(run).map((cell, i) =>
    runColumns[i] === "verdict" ? verdictTag(run.result.verdict.name) : escape(cell),
  ),
  `<code>${escape(run.result.cell)}</code>`,
];

function runSection(run: DemoRun): string {
  const { spec, final, relativeRho, verdict, warning } = run.result;
  const numbers = [
    ["loss f(x)", short(final.loss)],
    ["at the ascent point, f(x⁺)", short(final.shiftedLoss)],
    ["gradient ‖g‖", short(final.gradNorm)],
    ["shifted gradient ‖g⁺‖", short(final.shiftedGradNorm)],
    ["GradRatio", short(final.gradRatio)],
    ["accuracy, training images", percent(final.trainAccuracy)],
    ["accuracy, test images", percent(final.testAccuracy)],
  ];
  return `<section>
<h3>${escape(capitalized(methodWords(spec)))}, ${radiusWords(spec.rho, [relativeRho])} ${verdictTag(verdict.name)}</h3>
<p>${escape(verdict.sentence)}</p>
${warning ? `<p>Warned at step ${whole(warning.step)}: ${escape(warning.sentence)}</p>` : ""}
<dl>${numbers.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join("")}</dl>
</section>`;
}
