/**
 * A certificate: what is the point where a run ended? SAM trains a small network with too large a
 * radius; its end is certified in float64, refined toward a zero of the gradient that SAM follows, and
 * the loss along the line on which SAM looks ahead is compared at both ends.
 */
import assert from "node:assert/strict";
import { digits, imageSplits, mlp, prepareTraining, sam, sgd } from "lucid-sam";
import {
  ascentProfile,
  certify,
  compileDerivatives,
  describeCertificate,
  flatten,
  refine,
} from "lucid-sam/diagnostics";

const data = digits({ train: 60 });
const problem = mlp({
  ...imageSplits(data, { pool: 2, dtype: "float64" }),
  hidden: [8],
  dtype: "float64",
});
const [rho, learningRate] = [4, 0.05];
const method = sam({ rho, outer: sgd({ learningRate }) });
const training = await prepareTraining({ problem, method });
const { carry } = await training.run({ steps: 3000 });
await training.dispose();

const certificate = await certify({ problem, point: carry.params, rho, learningRate });
console.log(describeCertificate(certificate));

const f = await compileDerivatives(problem);
const x = flatten(carry.params);
const { point, sentence, steps } = await refine({ f, x, rho });
console.log(`${sentence} GradRatio ${steps[0]?.gradRatio} became ${point.gradRatio}.`);
const profile = await ascentProfile(f, x, rho);
await f.dispose();
console.log(
  `The loss rises with slope ${profile?.slope} at x, with ${profile?.shiftedSlope} at x⁺.`,
);

// Descent could go on from here; SAM does not.
assert.ok(certificate.gradNorm > 1e-3);
assert.ok(point.gradRatio <= (certificate.gradRatio ?? Infinity));
