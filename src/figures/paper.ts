/** The figures of Park et al. 2025 (arXiv 2509.21818) that show many training runs. */
import { finalLossFigure, finalPlot, accuracyScale, lossScale } from "./final.ts";
import { sheet, titleHeight, type Figure } from "./figure.ts";
import { legend, verdictEntries } from "./legend.ts";
import { columnAxis, columnAxisHeight, relativeAxis } from "./radius-axis.ts";
import { byMethod, radii, radius, verdictOf, type FigureRun } from "./runs.ts";
import { extentOf, loss, lossFigure, trajectoryPlot } from "./trajectories.ts";

const headingHeight = 26;

/**
 * Figure 5: loss against step, a line per seed whose color is the verdict on where it ended; a
 * column per ρ, under an axis of ρ/‖x₀‖; SAM above, the switch below. Where every method has one ρ,
 * methods stand side by side.
 */
export function figure5(runs: readonly FigureRun[]): Figure {
  const rhos = radii(runs);
  const groups = byMethod(runs);
  if (groups.every((group) => radii(group.runs).length === 1)) return lossFigure(runs);
  const [width, height] = [Math.max(190, 860 / rhos.length), 250];
  const key = legend(verdictEntries(runs.map(verdictOf)), width * rhos.length);
  const above = relativeAxis(runs, rhos);
  const axisTop = titleHeight + key.height;
  const top = axisTop + (above ? columnAxisHeight : 0);
  const extent = extentOf(runs, loss);
  return sheet({
    width: width * rhos.length,
    height: top + (headingHeight + height) * groups.length,
    title: "Loss while training, every seed colored by the verdict on where it ended",
    panels: [
      { x: 4, y: titleHeight, plot: key.plot },
      ...(above ? [{ x: 0, y: axisTop, plot: columnAxis(rhos, above, width) }] : []),
      ...groups.flatMap(({ name, runs }, row) => {
        const y = top + row * (headingHeight + height);
        return [
          { x: 12, y, heading: name },
          // Descent has no radius, and its row one panel.
          ...rhos.flatMap((rho, column) => {
            const own = runs.filter((run) => radius(run) === rho);
            const options = { title: `ρ = ${rho}`, width, height };
            const at = { x: column * width, y: y + headingHeight };
            return own.length === 0
              ? []
              : [{ ...at, plot: trajectoryPlot(own, loss, extent, options, false) }];
          }),
        ];
      }),
    ],
  });
}

/**
 * Figure 8: final loss and test accuracy against ρ and ρ/‖x₀‖, a mark per seed that shows the
 * verdict; SAM above, the switch below. Without accuracies, the loss alone, side by side.
 */
export function figure8(runs: readonly FigureRun[]): Figure {
  const hasAccuracy = runs.some(({ result }) => typeof result.final.testAccuracy === "number");
  if (!hasAccuracy) return finalLossFigure(runs);
  const rhos = radii(runs);
  const groups = byMethod(runs);
  const above = relativeAxis(runs, rhos);
  const [width, height] = [430, above ? 302 : 280];
  const key = legend(verdictEntries(runs.map(verdictOf)), 2 * width);
  const top = titleHeight + key.height;
  return sheet({
    width: 2 * width,
    height: top + height * groups.length,
    title: "Where training ended, every seed marked by its verdict",
    panels: [
      { x: 4, y: titleHeight, plot: key.plot },
      ...groups.flatMap(({ name, runs: shown }, row) =>
        [lossScale(runs), accuracyScale(runs)].map((scale, column) => ({
          x: column * width,
          y: top + row * height,
          plot: finalPlot(shown, scale, rhos, above, { title: name, width, height }),
        })),
      ),
    ],
  });
}
