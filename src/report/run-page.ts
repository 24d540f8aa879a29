/** The page of runs of one problem: what each ended at, how it got there, and what proves it. */
import type { Certificate } from "../diagnostics/certificate/certificate.ts";
import { certificateNumbers } from "../diagnostics/certificate/report.ts";
import { methodWords, type FigureRun } from "../figures/runs.ts";
import { gradRatioFigure, lossFigure } from "../figures/trajectories.ts";
import { radiusWords } from "../run/radius.ts";
import { capitalized, escape, htmlTable, page, picture, verdictTag } from "./page.ts";
import { short, shortOrDash, whole } from "./words.ts";

/** What a {@link runPage} shows. */
export interface RunPageOptions {
  readonly title: string;
  /** See `figureRun`. */
  readonly runs: readonly FigureRun[];
  /** Of the point where one of them ended. */
  readonly certificate?: Certificate | undefined;
}

/** The page, as HTML that needs nothing but itself: verdicts, numbers, loss and GradRatio by step. */
export function runPage({ title, runs, certificate }: RunPageOptions): string {
  return page(
    title,
    `<h1>${escape(title)}</h1>
${runs.map(says).join("\n")}
<h2>Where the runs ended</h2>
${ends(runs)}
<h2>How they got there</h2>
${picture(
  lossFigure(runs),
  "The loss on each step's batch, before the step. The mark at the end of a line is the verdict.",
)}
${picture(
  gradRatioFigure(runs),
  "How large the gradient is that SAM follows, relative to the true one. Where it dies out and the loss stays, SAM has been drawn to a point that solves nothing.",
)}
${
  certificate
    ? `<h2>What the end point is</h2>
<p class="lead">${verdictTag(certificate.verdict.name)} ${escape(certificate.verdict.sentence)}</p>
${htmlTable(
  ["", "value", "meaning"],
  certificateNumbers(certificate).map((cells) => cells.map(escape)),
)}`
    : ""
}`,
  );
}

const nameOf = ({ result: { spec, relativeRho } }: FigureRun) =>
  `${capitalized(methodWords(spec))}${spec.rho === undefined ? "" : `, ${radiusWords(spec.rho, [relativeRho])}`}, seed ${spec.seed}`;

const says = (run: FigureRun) =>
  `<p><strong>${escape(nameOf(run))}.</strong> ${verdictTag(run.result.verdict.name)} ${escape(run.result.verdict.sentence)}</p>`;

const ends = (runs: readonly FigureRun[]) =>
  htmlTable(
    ["run", "steps", "verdict", "loss", "‖g‖", "GradRatio", "train", "test"],
    runs.map((run) => {
      const { final, verdict } = run.result;
      return [
        escape(nameOf(run)),
        whole(final.step),
        verdictTag(verdict.name),
        ...[final.loss, final.gradNorm, final.gradRatio].map(short),
        ...[final.trainAccuracy, final.testAccuracy].map(shortOrDash),
      ];
    }),
  );
