/** SAF and MESA: stay close to one's own earlier outputs instead of looking at nearby weights. */
import { np, vjp } from "../../engine/jax-js.ts";
import { add, mean, multiply, scalar, stopGradient, subtract } from "../../engine/arrays.ts";
import { InputError } from "../../engine/errors.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { zeros } from "../../engine/tensor.ts";
import { number } from "../../settings/fields.ts";
import type { Knobs, ProblemSize } from "../contract/method.ts";
import type { Objective } from "../contract/objective.ts";
import { defineMethod, type OuterOptions } from "../define.ts";
import { blend } from "../parts/average.ts";
import { dtypeOf } from "../parts/outer.ts";
import { descend, method, plainEvidence } from "../parts/step.ts";

/** What both methods are given. */
export interface TrajectoryOptions extends OuterOptions {
  /** λ ≥ 0, weight of the trajectory loss. */
  readonly lambda?: number | undefined;
  /** τ > 0, temperature. */
  readonly tau?: number | undefined;
  /** Plain descent up to this epoch, counted from 0. */
  readonly start?: number | undefined;
}

/** log softmax(z/τ) along the last axis, by log-sum-exp with the maximum subtracted. */
function logSoftmax(logits: np.Array, tau: number): np.Array {
  const scaled = multiply(logits, scalar(1 / tau, logits));
  const maximum = np.max(stopGradient(scaled) as np.Array, -1, { keepdims: true });
  const shifted = subtract(scaled, maximum);
  const total = np.sum(np.exp(shifted.ref), -1, { keepdims: true });
  return subtract(shifted, np.log(total));
}

/** KL(softmax(past/τ) ‖ softmax(now/τ)) of every sample; gradients flow into `now` alone. */
export function divergence(past: np.Array, now: np.Array, tau: number): np.Array {
  const logP = stopGradient(logSoftmax(past, tau)) as np.Array;
  const difference = subtract(logP, logSoftmax(now, tau));
  return np.sum(multiply(np.exp(logP.ref), difference), -1);
}

/** Descend f + λτ² mean_i(weight_i · KL(past_i ‖ now_i)) where `past` are outputs of earlier parameters. */
function follow(
  objective: Objective,
  params: ArrayTree,
  past: np.Array,
  weight: np.Array,
  { lambda, tau }: { lambda: number; tau: number },
) {
  const { gradient, forward } = objective.differentiate(({ losses, outputs }) => {
    const pull = multiply(weight, divergence(past, outputs as np.Array, tau));
    return add(mean(losses), multiply(scalar(lambda * tau * tau, losses), mean(pull)));
  }, params);
  const outputs = forward.outputs as np.Array;
  const pull = mean(multiply(weight, divergence(past, outputs, tau)));
  return {
    pass: { loss: mean(forward.losses), gradient },
    outputs,
    details: { trajectoryLoss: multiply(scalar(tau * tau, pull), pull) },
  };
}

const stepsPerEpoch = ({ samples, batch }: ProblemSize) => Math.floor(samples / batch);

function outputsOf(name: string, { outputs }: ProblemSize): number {
  if (outputs !== undefined) return outputs;
  throw new InputError(`missing outputs: ${name} needs a problem with outputs, such as mlp`);
}

const why =
  "no ascent in the weights: at rest past and present outputs agree and the added gradient vanishes";
const shared = {
  tau: number(5, "τ, temperature (official 5)", { above: 0 }),
  start: number(5, "epochs, counted from 0, up to which the method is plain descent (README: 5)", {
    min: 0,
    integer: true,
  }),
};

/** What SAF is given. */
export interface SafOptions extends TrajectoryOptions {
  /** Ẽ ≥ 1: outputs are compared with those of so many epochs ago. */
  readonly epochs?: number | undefined;
}

interface SafMemory {
  /** [epochs, samples, outputs]. */
  readonly outputs: np.Array;
  /** 1 + the epoch in which they were recorded, 0 before the first: int32 [epochs, samples]. */
  readonly recorded: np.Array;
}

/**
 * SAF: f + λτ² mean_i KL(softmax(z_i^{n−Ẽ}/τ) ‖ softmax(z_i/τ)) in epoch n, with z_i^{n−Ẽ} the
 * outputs recorded for sample i, in training, Ẽ epochs ago   (Du et al. 2022b). Remembers Ẽ outputs
 * for every training sample.
 *
 * The loss reported is f; the gradient norms are those of the sum.
 */
export const saf = defineMethod<SafOptions>({
  name: "saf",
  aliases: ["sharpness-aware-training-for-free"],
  title: "Sharpness-aware training for free",
  formula: "x ← outer(x, ∇[f + λτ² mean KL(softmax(z_past/τ) ‖ softmax(z/τ))])",
  state: "the outputs of the last epochs for every training sample",
  evaluations: 1,
  hallucination: { possible: "no", why },
  options: {
    lambda: number(0.3, "λ, weight of the trajectory loss (README: 0.3)", { min: 0 }),
    ...shared,
    epochs: number(3, "Ẽ, how many epochs old the outputs are (flag 3, script 2)", {
      min: 1,
      integer: true,
    }),
  },
  citation: "Du, Zhou, Feng, Tan & Zhou, NeurIPS 2022, arXiv 2205.14083",
  elsewhere: { "AngusDujw/SAF": "SAF" },
  differences: [
    "Ẽ slots suffice because each is read before it is written; official code has four for 1000 classes.",
    "A sample without outputs of Ẽ epochs ago, left out of an epoch's last batch, adds nothing.",
    "Acts to the end of the run; official code can stop it.",
  ],
  build({ lambda, tau, start, epochs, outer }) {
    return method<SafMemory, Knobs>({
      name: "saf",
      knobs: {},
      outer,
      init: (params, size) => ({
        outputs: zeros([epochs, size.samples, outputsOf("saf", size)], dtypeOf(params)),
        recorded: zeros([epochs, size.samples], "int32"),
      }),
      step(context) {
        const { objective, params, memory, time } = context;
        const { samples, size } = objective;
        const { read, spread, isHit } = placesOf(objective);
        const epoch = np.floorDivide(time.step.ref, stepsPerEpoch({ samples, batch: size }));
        const slot = np.remainder(epoch.ref, epochs);
        const isNow = np.equal(np.arange(0, epochs, 1, { dtype: np.int32 }), slot.ref);
        // What was written Ẽ epochs ago, in the slot that this epoch will write.
        const outputsThen = np.take(memory.outputs.ref, slot.ref, 0);
        const recordedThen = np.take(memory.recorded.ref, slot, 0);
        const past = read(outputsThen);
        const age = np.subtract(np.add(epoch.ref, 1), read(recordedThen));
        const counts = np.logicalAnd(np.equal(age, epochs), np.greater(epoch.ref, start));
        const weight = np.where(counts, scalar(1, past), scalar(0, past));
        const { pass, outputs, details } = follow(objective, params, past, weight, { lambda, tau });
        const outputsNow = np.where(isHit.ref.reshape([samples, 1]), spread(outputs), outputsThen);
        const recordedNow = np.where(isHit, np.add(epoch, 1), recordedThen);
        const next = {
          outputs: np.where(isNow.ref.reshape([epochs, 1, 1]), outputsNow, memory.outputs.ref),
          recorded: np.where(isNow.reshape([epochs, 1]), recordedNow, memory.recorded.ref),
        };
        return descend(outer, pass.gradient, context, next, {
          ...plainEvidence(pass, params),
          details,
        });
      },
    });
  },
});

/**
 * What connects the batch with all samples: `read` takes its entries from an array over all samples,
 * `spread` puts entries back among zeros, and `isHit` says which samples are in it.
 */
function placesOf({ indices, samples, size }: Objective) {
  const same = (all: np.Array) => all.ref;
  if (size === samples) {
    return { read: same, spread: same, isHit: np.ones([samples], { dtype: np.bool }) };
  }
  const read = (all: np.Array) => np.take(all.ref, indices.ref, 0);
  // Reading's transpose adds every entry to the place it came from; indices are distinct.
  const spread = (values: np.Array) => {
    const zeros = np.zeros([samples, ...values.shape.slice(1)], { dtype: values.dtype });
    const [, pull] = vjp(read, [zeros]);
    return pull(values.ref)[0];
  };
  return { read, spread, isHit: np.greater(spread(np.ones([size])), 0) };
}

/** What MESA is given. */
export interface MesaOptions extends TrajectoryOptions {
  /** Weight of the old average parameters. */
  readonly decay?: number | undefined;
}

interface MesaMemory {
  readonly average: ArrayTree;
}

/**
 * MESA: as SAF, compared with the outputs of an exponential moving average of the parameters on
 * the same batch   (Du et al. 2022b). The average starts at the initial parameters and takes in
 * every step's result.
 */
export const mesa = defineMethod<MesaOptions>({
  name: "mesa",
  aliases: [],
  title: "Memory-efficient sharpness-aware training",
  formula: "as SAF, with the outputs of an average a ← decay·a + (1−decay)x on the same batch",
  state: "1 copy: a",
  evaluations: "1 + 1/3",
  hallucination: { possible: "no", why },
  options: {
    lambda: number(0.8, "λ, weight of the trajectory loss (README: 0.8)", { min: 0 }),
    ...shared,
    decay: number(0.9998, "weight of the old average (official flag 0.9998)", {
      min: 0,
      below: 1,
    }),
  },
  citation: "Du, Zhou, Feng, Tan & Zhou, NeurIPS 2022, arXiv 2205.14083",
  elsewhere: { "AngusDujw/SAF": "MESA" },
  differences: ["Acts to the end of the run; official code can stop it."],
  build({ lambda, tau, start, decay, outer }) {
    return method<MesaMemory, Knobs>({
      name: "mesa",
      knobs: {},
      outer,
      init(params, size) {
        outputsOf("mesa", size);
        return { average: params };
      },
      step(context) {
        const { objective, params, memory, time } = context;
        const { samples, size } = objective;
        const first = (start + 1) * stepsPerEpoch({ samples, batch: size });
        const { pass, details } = objective.branch(
          np.greaterEqual(time.step.ref, first),
          () => {
            const past = objective.forward(memory.average).outputs as np.Array;
            const weight = np.ones([size], { dtype: past.dtype });
            const { pass, details } = follow(objective, params, past, weight, { lambda, tau });
            return { pass, details };
          },
          () => {
            const { loss, gradient } = objective.lossAndGradient(params);
            return {
              pass: { loss, gradient },
              details: { trajectoryLoss: np.zerosLike(loss.ref) },
            };
          },
        );
        const evidence = { ...plainEvidence(pass, params), details };
        const result = descend(outer, pass.gradient, context, memory, evidence);
        const average = blend(decay, memory.average, 1 - decay, result.params);
        return { ...result, memory: { average } };
      },
    });
  },
});
