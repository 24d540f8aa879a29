/** The figure of survival: which share of runs still stands at the loss of guessing, over the steps. */
import * as Plot from "@observablehq/plot";
import { radiusWords, relativeRange } from "../run/radius.ts";
import { head, margins, sheet, titleHeight, type Figure } from "./figure.ts";
import { lineStyle } from "./curves.ts";
import { legend } from "./legend.ts";
import { radii, radius, relativeAt, type FigureRun } from "./runs.ts";

/** A point of a curve of survival. */
export interface Survival {
  readonly rho: number;
  /** ρ/‖x₀‖, the median over the runs, where it is known. */
  readonly relativeRho: number | null;
  readonly step: number;
  /** Share of the runs at this radius whose loss has never been below the threshold. */
  readonly standing: number;
  readonly of: number;
}

/** For each radius, at every step at which a run's loss first falls below the threshold, the share that stands. */
export function survival(runs: readonly FigureRun[], threshold: number): Survival[] {
  return radii(runs).flatMap((rho) => {
    const group = runs.filter((run) => radius(run) === rho);
    const horizon = Math.max(...group.map(({ result }) => result.final.step));
    const leaves = group
      .map(({ rows }) => rows.find(({ loss }) => loss < threshold)?.step ?? Infinity)
      .sort((a, b) => a - b);
    const relativeRho = relativeRange(relativeAt(group, rho))?.median ?? null;
    const at = (step: number): Survival => ({
      rho,
      relativeRho,
      step,
      standing: leaves.filter((leave) => leave > step).length / group.length,
      of: group.length,
    });
    const first = { rho, relativeRho, step: 0, standing: 1, of: group.length };
    return [first, ...leaves.filter(Number.isFinite).map(at), at(horizon)];
  });
}

/** Curves of survival, a line per radius; they say nothing beyond the horizon that was run. */
export function survivalFigure(runs: readonly FigureRun[], threshold: number): Figure {
  const [width, height] = [860, 320];
  const points = survival(runs, threshold);
  const rhos = radii(runs);
  const key = legend(
    rhos.map((rho, i) => ({
      words: `${radiusWords(rho, relativeAt(runs, rho))}, ${points.find((point) => point.rho === rho)?.of} runs`,
      line: lineStyle(i),
    })),
    width - 24,
  );
  return sheet({
    width,
    height: titleHeight + key.height + height,
    title: "How long runs stand still",
    panels: [
      { x: 12, y: titleHeight, plot: key.plot },
      {
        x: 0,
        y: titleHeight + key.height,
        plot: {
          width,
          height,
          ...margins,
          // The last tick may be 100,000, half of which stands beyond the axis.
          marginRight: 32,
          x: { label: "step", ticks: 8 },
          y: { domain: [0, 1], label: null, grid: true, tickFormat: "%" },
          marks: [
            head("", `runs whose loss was never below ${threshold.toPrecision(3)}`, margins),
            ...rhos.map((rho, i) =>
              Plot.line(
                points.filter((point) => point.rho === rho),
                { x: "step", y: "standing", curve: "step-after", ...lineStyle(i) },
              ),
            ),
          ],
        },
      },
    ],
  });
}
