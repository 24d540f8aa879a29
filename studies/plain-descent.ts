/**
 * Plain descent beside figure 5 and the remedies: the same network, images and starts, no ascent.
 * What SAM and its remedies are worth is a difference to these rows, seed by seed.
 *
 *     npx lucid sweep studies/plain-descent.ts
 *     node --conditions=source studies/sharpness.ts FILE.jsonl.gz sweeps/plain-descent
 */
import type { StudyFile } from "lucid-sam/study";
import remedies from "./remedies.ts";

export default {
  name: "plain-descent",
  description: "Tanh MLP on MNIST, full batch: plain descent, beside SAM and its remedies",
  fixed: remedies.fixed,
  axes: { training: { "plain descent": { method: "gd" } } },
  // Those of figure 5, without seed 0, on which the remedies were tuned.
  seeds: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  keep: true,
} satisfies StudyFile;
