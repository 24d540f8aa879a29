/** Curves of runs as a picture of their own, drawn by the package's figures. */
import { figureRun, gradRatioFigure, lossFigure } from "lucid-sam/figures";
import type { Verdict } from "lucid-sam/diagnostics";
import type { MetricRow, RunSpec, Scores } from "lucid-sam/run";

export interface DrawnRun {
  readonly spec: RunSpec;
  readonly step: number;
  readonly rows: readonly MetricRow[];
  readonly verdict: Verdict;
  readonly scores: readonly Scores[];
}

/** Loss and GradRatio by step, one above the other, dark on white. */
export function curvesSvg(runs: readonly DrawnRun[]): string {
  const drawn = runs.map(({ spec: { method, rho, seed }, rows, ...run }) =>
    figureRun(
      { method, seed, rho: typeof rho === "number" ? rho : undefined },
      { ...run, history: rows },
    ),
  );
  const parts = [lossFigure(drawn), gradRatioFigure(drawn)].map((figure) => figure(document));
  const sizes = parts.map((part) => ({
    width: Number(part.getAttribute("width")),
    height: Number(part.getAttribute("height")),
  }));
  const width = Math.max(...sizes.map((size) => size.width));
  let height = 0;
  parts.forEach((part, i) => {
    part.setAttribute("y", String(height));
    height += sizes[i]?.height ?? 0;
  });
  const inside = parts.map((part) => part.outerHTML).join("\n");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" color="#111" style="color: #111; background: white">\n${inside}\n</svg>\n`;
}
