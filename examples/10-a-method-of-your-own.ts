/**
 * A method of your own: SAM in the maximum norm. It looks at the corner of a cube of half side ρ
 * instead of at the surface of a ball, x⁺ = x + ρ sign(g), and is otherwise what SAM is.
 */
import { numpy as np } from "@jax-js/jax";
import assert from "node:assert/strict";
import {
  ascending,
  ascent,
  digits,
  imageSplits,
  mapTrees,
  mlp,
  prepareTraining,
  scale,
  sgd,
  type Outer,
} from "lucid-sam";

/** ε = ρ sign(g): every parameter moves by ρ, uphill. */
const corner = ({ rho }: { rho: number }) =>
  ascent({
    knobs: { rho },
    init: () => ({}),
    perturb: ({ gradient, knobs }) => ({
      perturbation: scale(
        knobs.rho,
        mapTrees((g) => np.sign(g.ref), gradient),
      ),
      memory: {},
    }),
  });

const signSam = ({ rho, outer }: { rho: number; outer: Outer }) =>
  ascending({ name: "sign-sam", ascent: corner({ rho }), outer });

const problem = mlp({ ...imageSplits(digits({ train: 200 })), hidden: [32] });
const rho = 0.01;
const training = await prepareTraining({
  problem,
  method: signSam({ rho, outer: sgd({ learningRate: 0.1 }) }),
});
const losses: number[] = [];
await training.run({
  steps: 200,
  onRecords: ({ loss, shiftedLoss }) => {
    losses.push(...loss);
    // The corner lies uphill.
    assert(shiftedLoss.every((shifted, t) => shifted > (loss[t] ?? NaN)));
  },
});
await training.dispose();

const [first = NaN, last = NaN] = [losses.at(0), losses.at(-1)];
console.log(`sign-SAM: loss ${first.toFixed(3)} → ${last.toFixed(3)}`);
assert(last < 0.2 * first, "sign-SAM trains");
