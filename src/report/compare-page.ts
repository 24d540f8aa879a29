/** The page of several runs side by side. */
import { curvesFigure, type NamedRun } from "../figures/curves.ts";
import { landscapeFigure, type LandscapeData } from "../figures/landscape.ts";
import type { Final } from "../run/history.ts";
import { escape, htmlTable, page, picture, verdictTag } from "./page.ts";
import { short, shortOrDash, whole } from "./words.ts";

/** A run as it is compared. */
export interface ComparedRun extends NamedRun {
  /** In words: `SAM from the start`. */
  readonly method: string;
  readonly final: Final;
  /** ‖xᵢ − xⱼ‖ to the end of every run, itself included; `null` where the parameters are not of one kind. */
  readonly distances: readonly (number | null)[];
}

/** What a {@link comparePage} shows. */
export interface ComparePageOptions {
  readonly runs: readonly ComparedRun[];
  /** f and f(x⁺) on the lines from the first run's end to each other's, where there are such lines. */
  readonly lines: readonly { readonly to: string; readonly data: LandscapeData }[];
}

/** The page, as HTML that needs nothing but itself. */
export function comparePage({ runs, lines }: ComparePageOptions): string {
  const title = runs.map(({ name }) => name).join(", ");
  return page(
    `Compared: ${title}`,
    `<h1>Runs side by side</h1>
${htmlTable(
  ["run", "method", "ρ", "verdict", "steps", "loss", "f(x⁺)", "‖g‖", "GradRatio", "train", "test"],
  runs.map(({ name, method, radius, verdict, final }) => [
    escape(name),
    escape(method),
    radius === "" ? "–" : escape(radius.replace("ρ = ", "")),
    verdictTag(verdict),
    whole(final.step),
    ...[final.loss, final.shiftedLoss, final.gradNorm, final.gradRatio].map(short),
    ...[final.trainAccuracy, final.testAccuracy].map(shortOrDash),
  ]),
)}
${picture(curvesFigure(runs), "Loss and GradRatio by step, a line per run; the mark at the end is the verdict.")}
<h2>How far apart they ended</h2>
${htmlTable(
  ["‖xᵢ − xⱼ‖", ...runs.map(({ name }) => escape(name))],
  runs.map(({ name, distances }) => [escape(name), ...distances.map(shortOrDash)]),
)}
${lines
  .map(
    ({ to, data }) => `<h2>On the way from ${escape(runs[0]?.name ?? "")} to ${escape(to)}</h2>
${picture(landscapeFigure(data), "Between two ends: where the loss does not rise, they lie in one basin; where it does, a ridge parts them.")}`,
  )
  .join("\n")}`,
  );
}
