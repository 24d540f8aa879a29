/** Registry of figures: what each is called, what it is drawn from, the numbers it shows. */
import type { Profile } from "../diagnostics/point/profile.ts";
import type { VerdictName } from "../diagnostics/verdict.ts";
import type { LabeledImages } from "../problems/datasets/images.ts";
import type { Figure } from "./figure.ts";
import type { ContactSheetOptions } from "./images.ts";
import type { PlaneFigureOptions } from "./plane.ts";
import type { FigureRun } from "./runs.ts";

/** What figures are drawn from. */
export interface FigureData {
  /** Runs of a study that ended. */
  readonly runs: readonly FigureRun[];
  /** The loss along the ascent from a point, and what the point is. */
  readonly profile: { readonly profile: Profile; readonly verdict: VerdictName };
  /** A function of two variables, and where runs went on it. */
  readonly plane: PlaneFigureOptions;
  readonly images: ContactSheetOptions & { readonly images: LabeledImages };
}

/** A figure: a function from data to a picture. */
export interface FigureEntry<Need extends keyof FigureData = keyof FigureData> {
  /** As `lucid figure` takes it; figures of Park et al. 2025 have their number there. */
  readonly name: string;
  /** What it shows, in a few words. */
  readonly title: string;
  readonly needs: Need;
  /** What draws is loaded when something is to be drawn. */
  draw(data: FigureData[Need]): Promise<Figure>;
  /** The numbers behind it, one object per mark or point of a line. */
  numbers(data: FigureData[Need]): object[];
}

const figure = <Need extends keyof FigureData>(entry: FigureEntry<Need>): FigureEntry => entry;

/** All figures. A new one is its file, its picture in test/figures, and an entry here. */
export const figures: readonly FigureEntry[] = [
  figure({
    name: "5",
    title: "trajectories of the loss, a panel per ρ",
    needs: "runs",
    draw: async (runs) => (await import("./paper.ts")).figure5(runs),
    numbers: (runs) => perStep(runs, ({ loss }) => ({ loss })),
  }),
  figure({
    name: "8",
    title: "final loss and test accuracy",
    needs: "runs",
    draw: async (runs) => (await import("./paper.ts")).figure8(runs),
    numbers: (runs) => perRun(runs, ({ loss, testAccuracy }) => ({ loss, testAccuracy })),
  }),
  figure({
    name: "loss",
    title: "trajectories of the loss",
    needs: "runs",
    draw: async (runs) => (await import("./trajectories.ts")).lossFigure(runs),
    numbers: (runs) => perStep(runs, ({ loss }) => ({ loss })),
  }),
  figure({
    name: "grad-ratio",
    title: "trajectories of GradRatio",
    needs: "runs",
    draw: async (runs) => (await import("./trajectories.ts")).gradRatioFigure(runs),
    numbers: (runs) =>
      perStep(runs, ({ gradNorm, shiftedGradNorm }) => ({ gradRatio: shiftedGradNorm / gradNorm })),
  }),
  figure({
    name: "final-loss",
    title: "final loss",
    needs: "runs",
    draw: async (runs) => (await import("./final.ts")).finalLossFigure(runs),
    numbers: (runs) => perRun(runs, ({ loss }) => ({ loss })),
  }),
  figure({
    name: "slope",
    title: "the loss along the line on which SAM looks ahead",
    needs: "profile",
    draw: async ({ profile, verdict }) =>
      (await import("./slope.ts")).slopeFigure(profile, verdict),
    numbers: ({ profile }) => [...profile.points],
  }),
  figure({
    name: "plane",
    title: "a function of two variables as it is, and as SAM sees it",
    needs: "plane",
    draw: async (options) => (await import("./plane.ts")).planeFigure(options),
    numbers: ({ paths }) =>
      paths.flatMap(({ name, rows, verdict }) =>
        rows.map(({ point, ascentPoint }, row) => ({ name, row, point, ascentPoint, verdict })),
      ),
  }),
  figure({
    name: "images",
    title: "the first images of a data set",
    needs: "images",
    draw: async ({ images, ...options }) =>
      (await import("./images.ts")).contactSheet(images, options),
    numbers: ({ images }) => Array.from(images.labels, (label, image) => ({ image, label })),
  }),
];

/** The figures that are drawn from such data. */
export const figuresFor = <Need extends keyof FigureData>(needs: Need): FigureEntry<Need>[] =>
  figures.filter((entry): entry is FigureEntry<Need> => entry.needs === needs);

const perStep = (
  runs: readonly FigureRun[],
  numbers: (row: FigureRun["rows"][number]) => object,
): object[] =>
  runs.flatMap((run) =>
    run.rows.map((row) => ({
      ...placeOf(run),
      step: row.step,
      ...numbers(row),
      ...shownVerdict(run),
    })),
  );

const perRun = (
  runs: readonly FigureRun[],
  numbers: (final: FigureRun["result"]["final"]) => object,
): object[] =>
  runs.map((run) => ({ ...placeOf(run), ...numbers(run.result.final), ...shownVerdict(run) }));

const placeOf = ({ result: { spec, relativeRho } }: FigureRun) => ({
  method: spec.method,
  switch: spec.switch ?? null,
  rho: spec.rho ?? null,
  relativeRho: relativeRho ?? null,
  seed: spec.seed,
});

const shownVerdict = ({ result }: FigureRun) => ({ verdict: result.verdict.name });
