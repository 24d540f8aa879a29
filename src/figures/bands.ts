/** Figures of means over seeds, with bands of one standard deviation, a panel per radius. */
import * as Plot from "@observablehq/plot";
import { radiusWords, relativeRange } from "../run/radius.ts";
import { lineStyle, lineStyles } from "./curves.ts";
import { head, margins, sheet, titleHeight, type Figure } from "./figure.ts";
import { legend } from "./legend.ts";
import { byMethod, radii, radius, relativeAt, type FigureRun } from "./runs.ts";

/** A stretch of steps of runs that differ in the seed alone. */
export interface BandPoint {
  readonly method: string;
  readonly rho: number;
  /** ρ/‖x₀‖, the median over the seeds, where it is known. */
  readonly relativeRho: number | null;
  /** Middle of the stretch. */
  readonly step: number;
  /** Over the seeds, of the mean loss of the stretch. */
  readonly mean: number;
  readonly deviation: number;
  readonly seeds: number;
}

/** Mean loss and its standard deviation over seeds, in `stretches` equal parts of the runs. */
export function bands(runs: readonly FigureRun[], stretches: number): BandPoint[] {
  return byMethod(runs).flatMap(({ name, runs: own }) =>
    radii(own).flatMap((rho) => {
      const group = own.filter((run) => radius(run) === rho);
      const relativeRho = relativeRange(relativeAt(group, rho))?.median ?? null;
      const steps = Math.max(...group.map(({ result }) => result.final.step));
      return Array.from({ length: stretches }, (_, i): BandPoint[] => {
        const [from, to] = [(i * steps) / stretches, ((i + 1) * steps) / stretches];
        const losses = group.flatMap(({ rows }) => {
          const seen = rows.filter(({ step, loss }) => step >= from && step < to && loss > 0);
          return seen.length === 0
            ? []
            : [seen.reduce((sum, { loss }) => sum + loss, 0) / seen.length];
        });
        if (losses.length === 0) return [];
        const mean = losses.reduce((a, b) => a + b, 0) / losses.length;
        const squares = losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0);
        const deviation = losses.length > 1 ? Math.sqrt(squares / (losses.length - 1)) : 0;
        const step = (from + to) / 2;
        return [{ method: name, rho, relativeRho, step, mean, deviation, seeds: losses.length }];
      }).flat();
    }),
  );
}

/** Figure 6: loss by step, a panel per radius; methods without a radius are drawn in every one. */
export function bandFigure(title: string, runs: readonly FigureRun[], stretches = 30): Figure {
  const points = bands(runs, stretches);
  const rhos = radii(runs).filter((rho) => rho > 0);
  const methods = [...new Set(points.map(({ method }) => method))];
  const columns = Math.min(3, rhos.length);
  const [width, height] = [860 / columns, 250];
  const key = legend(
    methods.map((words, i) => ({ words, line: lineStyle(i) })),
    860 - 24,
  );
  const rims = points.flatMap(({ mean, deviation }) => [mean - deviation, mean + deviation]);
  const domain = [Math.min(...rims), Math.max(...rims)];
  const y = titleHeight + key.height;
  return sheet({
    width: 860,
    height: y + Math.ceil(rhos.length / columns) * height,
    title,
    panels: [
      { x: 12, y: titleHeight, plot: key.plot },
      ...rhos.map((rho, panel) => ({
        x: (panel % columns) * width,
        y: y + Math.floor(panel / columns) * height,
        plot: {
          width,
          height,
          ...margins,
          x: { label: "step", ticks: 3 },
          y: { domain, nice: true, label: null, ticks: 5, grid: true },
          marks: [
            head(radiusWords(rho, relativeAt(runs, rho)), "training loss", margins),
            ...methods.flatMap((method, i) => {
              const own = points.filter(
                (point) => point.method === method && (point.rho === rho || point.rho === 0),
              );
              const [fill] = lineStyles[i % lineStyles.length] ?? lineStyles[0];
              return [
                Plot.areaY(own, {
                  x: "step",
                  y1: ({ mean, deviation }: BandPoint) => mean - deviation,
                  y2: ({ mean, deviation }: BandPoint) => mean + deviation,
                  fill,
                  fillOpacity: 0.2,
                }),
                Plot.line(own, { x: "step", y: "mean", ...lineStyle(i) }),
              ];
            }),
          ],
        } satisfies Plot.PlotOptions,
      })),
    ],
  });
}
