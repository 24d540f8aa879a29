/** Figures 6 and 9: a residual network on CIFAR-100, SAM, the switch and descent over ρ. */
import { bandFigure, bands } from "../figures/bands.ts";
import { figure8 } from "../figures/paper.ts";
import type { FigureRun } from "../figures/runs.ts";
import type { StudyFile } from "../study/study.ts";
import type { Recipe } from "./recipe.ts";
import { sweepRuns } from "./study.ts";

/** After the public recipe that the paper names: crops, flips, Cutout, momentum, weight decay, cosine. */
const recipe = {
  problem: "resnet",
  data: "cifar100",
  batch: 128,
  momentum: 0.9,
  weightDecay: 1e-3,
  lr: 0.05,
  schedule: "cosine",
  flip: true,
};
/** Pixels are averaged in squares of two: images of 16 × 16. */
const small = { ...recipe, depth: 8, width: 16, pool: 2, crop: 2, cutout: 4 };

const axes = (radii: readonly number[]) => ({
  training: Object.fromEntries([
    ["descent", { method: "gd" }],
    ...radii.flatMap((rho) => [
      [`sam ${rho}`, { method: "sam", rho }],
      [`switch ${rho}`, { method: "sam", rho, switch: 0.1 }],
    ]),
  ]) as { [label: string]: object },
});

const study: StudyFile = {
  name: "figure-6",
  description:
    "A residual network on CIFAR-100 in mini-batches: SAM, the switch and descent over ρ",
  presets: {
    // 5 epochs of 1,000 images.
    quick: {
      fixed: { ...small, n: 1000 },
      axes: axes([0.1, 2]),
      seeds: 1,
      steps: 35,
      record: 1,
    },
    // 15 epochs of 10,000 images.
    standard: {
      fixed: { ...small, n: 10_000 },
      axes: axes([0.05, 0.1, 0.2, 0.5, 1, 2]),
      seeds: 3,
      steps: 1170,
      record: 1,
    },
    // 200 epochs of all images, ResNet-18.
    paper: {
      fixed: { ...recipe, depth: 18, width: 64, crop: 4, cutout: 8, n: 50_000 },
      axes: axes([0.05, 0.1, 0.2, 0.5, 1, 2]),
      seeds: 3,
      steps: 78_000,
      record: 16,
    },
  },
};

export const residual: Recipe = {
  figures: [6, 9],
  title: "A residual network on CIFAR-100",
  paper:
    "ResNet-18 on CIFAR-100 for 200 epochs, SAM against the switch after 10 % of them, over ρ and seeds: mean curves with bands of one standard deviation.",
  ours: "quick and standard: the small counterpart, ResNet-8 of width 16 on images of 16 × 16 pixels, 1,000 images for 5 epochs or 10,000 for 15, with plain descent beside. It is no measurement of ResNet-18. paper is the full size.",
  look: "Where SAM's band parts from that of descent as ρ grows, and whether the switch follows the one or the other.",
  seconds: { quick: 60, standard: 4000, paper: 30_000_000 },
  async make(making) {
    const runs = await sweepRuns(study, making);
    const { fixed, steps } = study.presets?.[making.preset] ?? {};
    const spec = { study: study.name, ...fixed, steps };
    const seeds = new Set(runs.map(({ result }) => result.spec.seed)).size;
    return [
      {
        name: "figure-6",
        figure: bandFigure("Training loss of a residual network on CIFAR-100", runs),
        numbers: bands(runs, 30),
        spec,
        caption: `Mean over ${seeds} ${seeds === 1 ? "seed" : "seeds"} of the loss on mini-batches, and one standard deviation. Descent is in every panel.`,
      },
      {
        name: "figure-9",
        figure: figure8(runs),
        numbers: runs.map(endOf),
        spec,
        caption: "A mark per run at its end; ρ = 0 is plain descent.",
      },
    ];
  },
};

const endOf = ({ result: { spec, final, verdict, relativeRho } }: FigureRun): object => ({
  method: spec.method,
  rho: spec.rho ?? null,
  relativeRho: relativeRho ?? null,
  switch: spec.switch ?? null,
  seed: spec.seed,
  loss: final.loss,
  testAccuracy: final.testAccuracy,
  verdict: verdict.name,
});
