/** Figures 5 and 8: at which radius runs stall, whether the switch prevents it, and how long it lasts. */
import { figure5, figure8 } from "../figures/paper.ts";
import type { FigureRun } from "../figures/runs.ts";
import { survival, survivalFigure } from "../figures/survival.ts";
import type { StudyFile } from "../study/study.ts";
import type { Made, Recipe } from "./recipe.ts";
import { sweepRuns } from "./study.ts";

/** Tanh MLP on MNIST, full batch: SAM, and SAM after plain descent for a tenth of the run. */
const mnist: StudyFile = {
  name: "figure-5",
  description: "Tanh MLP on MNIST, full batch: SAM, and SAM after plain descent, over ρ and seeds",
  fixed: { data: "mnist", activation: "tanh", batch: "full", lr: 0.01, method: "sam" },
  axes: {
    rho: [1, 2, 4, 8],
    training: { sam: {}, switch: { switch: 0.1 } },
  },
  presets: {
    quick: { fixed: { n: 500, pool: 2, hidden: [64] }, seeds: 4, steps: 10_000, record: 64 },
    standard: { fixed: { n: 500, pool: 2, hidden: [64] }, seeds: 8, steps: 20_000, record: 256 },
    paper: { fixed: { n: 60_000, hidden: [128] }, seeds: 80, steps: 100_000 },
  },
};

/** SAM at two of the radii five times as long: do those that stand after 20,000 steps stand on? */
const longer: StudyFile = {
  ...mnist,
  name: "figure-5-longer",
  description: "Tanh MLP on MNIST, full batch: SAM over 100,000 steps",
  axes: { rho: [2, 4] },
  presets: {
    standard: { fixed: { n: 500, pool: 2, hidden: [64] }, seeds: 4, steps: 100_000, record: 256 },
  },
};

/** The network of docs/hallucinated-minimizer.md from forty random starts: SAM, the switch, descent. */
const regression: StudyFile = {
  name: "figure-5-regression",
  description: "7 parameters, one curve: how often SAM, the switch and descent solve it",
  fixed: { problem: "regression", lr: 0.01 },
  axes: {
    training: {
      sam: { method: "sam", rho: 2 },
      switch: { method: "sam", rho: 2, switch: 0.1 },
      descent: { method: "gd" },
    },
  },
  presets: {
    quick: { seeds: 10, steps: 20_000, record: 256 },
    standard: { seeds: 40, steps: 50_000, record: 256 },
    paper: { seeds: 40, steps: 220_000, record: 256 },
  },
};

/** Half of what guessing one of ten classes costs: a run below it has learned something. */
const threshold = Math.log(10) / 2;

export const stalls: Recipe = {
  figures: [5, 8],
  title: "At which radius training stalls",
  paper:
    "Two-layer tanh network with 128 hidden units on MNIST, full batch, 100,000 steps, 80 seeds at four radii, with SAM and with plain descent for the first tenth.",
  ours: "quick and standard: 500 images of 14 × 14 pixels and 64 hidden units. A second pair of figures shows the 7-parameter network whose hallucinated minimizer is proved, at ρ = 2.",
  look: "From some radius on runs stay at the loss of guessing, and the switch lets them learn. The curves of survival say how long they had stood when the run ended, not that they stand for ever. In the small network the switch does not help.",
  seconds: { quick: 300, standard: 7200, paper: 5_000_000 },
  async make(making) {
    const first = await sweepRuns(mnist, { ...making, folder: `${making.folder}/mnist` });
    const second = await sweepRuns(regression, {
      ...making,
      folder: `${making.folder}/regression`,
    });
    // The paper's runs are as long by themselves.
    const long =
      making.preset in (longer.presets ?? {})
        ? await sweepRuns(longer, { ...making, folder: `${making.folder}/longer` })
        : [];
    const stalled = first.filter(({ result }) => result.spec.switch === undefined);
    const made = (
      name: string,
      figure: Made["figure"],
      runs: readonly FigureRun[],
      study: StudyFile,
      caption: string,
    ): Made => ({
      name,
      figure,
      numbers: endsOf(runs),
      spec: { study: study.name, ...study.fixed, ...study.presets?.[making.preset] },
      caption,
    });
    const standing = (
      name: string,
      runs: readonly FigureRun[],
      study: StudyFile,
      caption: string,
    ): Made => ({
      ...made(name, survivalFigure(runs, threshold), runs, study, caption),
      numbers: survival(runs, threshold),
    });
    return [
      made(
        "figure-5",
        figure5(first),
        first,
        mnist,
        "A line per seed; its color and mark are the verdict on where it ended. A column is one ρ; above stands ρ/‖x₀‖.",
      ),
      made("figure-8", figure8(first), first, mnist, "A mark per seed."),
      standing(
        "figure-5-survival",
        stalled,
        mnist,
        `Share of SAM's runs whose loss has never been below ${threshold.toFixed(2)}, half of what guessing costs.`,
      ),
      ...(long.length > 0
        ? [
            standing(
              "figure-5-longer",
              long,
              longer,
              "The same for SAM at two of the radii, over 100,000 steps.",
            ),
          ]
        : []),
      made(
        "figure-5-regression",
        figure5(second),
        second,
        regression,
        "7 parameters, one target function; beside the ends of lines stands their ρ, 0 for descent.",
      ),
      made(
        "figure-8-regression",
        figure8(second),
        second,
        regression,
        "Where the runs of the small network ended.",
      ),
    ];
  },
};

const endsOf = (runs: readonly FigureRun[]): object[] =>
  runs.map(({ result: { spec, final, verdict, relativeRho } }) => ({
    method: spec.method,
    rho: spec.rho ?? null,
    relativeRho: relativeRho ?? null,
    switch: spec.switch ?? null,
    seed: spec.seed,
    steps: final.step,
    loss: final.loss,
    gradRatio: final.gradRatio,
    testAccuracy: final.testAccuracy,
    verdict: verdict.name,
  }));
