/**
 * Figure 5 (and 8): at which radius SAM stalls, what each stalled run is, and whether plain descent
 * for the first tenth of the run prevents it   (Park et al. 2025, section 4).
 *
 *     npx lucid sweep studies/figure-5.ts --preset quick
 */
import type { StudyFile } from "lucid-sam/study";

export default {
  name: "figure-5",
  description: "Tanh MLP on MNIST, full batch: SAM, and SAM after plain descent, over ρ and seeds",
  fixed: { data: "mnist", activation: "tanh", batch: "full", lr: 0.01, method: "sam" },
  axes: {
    rho: [1, 1.5, 2, 3, 4, 8],
    training: { sam: {}, switch: { switch: 0.1 } },
  },
  presets: {
    /** 196–64–10 on 500 images: the smallest network that shows the figure. Minutes. */
    quick: {
      fixed: { n: 500, pool: 2, hidden: [64] },
      seeds: 16,
      steps: 20_000,
      record: 256,
      keep: true,
    },
    /** The same at two radii, five times as long: do runs that stand still at 20,000 steps stand on? Ten minutes. */
    long: {
      fixed: { n: 500, pool: 2, hidden: [64] },
      axes: { rho: [2, 4], training: { sam: {} } },
      seeds: 4,
      steps: 100_000,
      record: 256,
    },
    /** 784–128–10 on 1000 images. Overnight on a laptop. */
    standard: {
      fixed: { n: 1000, hidden: [128] },
      seeds: 20,
      steps: 40_000,
    },
    /** The paper's: 784–128–10 on all images, 80 seeds, four radii, 100,000 steps. */
    paper: {
      fixed: { n: 60_000, hidden: [128] },
      axes: { rho: [1, 2, 4, 8] },
      seeds: 80,
      steps: 100_000,
    },
  },
} satisfies StudyFile;
