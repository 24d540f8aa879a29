/** The training step: a method on a problem, as the function that is compiled. */
import { add, leaves, scalar, selectTree, share } from "../../engine/arrays.ts";
import { np } from "../../engine/jax-js.ts";
import type { ArrayTree, StepDefinition } from "../../engine/program.ts";
import { typesOf } from "../../engine/tensor.ts";
import type { Problem } from "../../problems/problem.ts";
import type { Evidence, Method, StepTime } from "../contract/method.ts";
import { objectiveOf } from "../contract/objective.ts";
import { preparationKey } from "../contract/random.ts";
import { castBytes, takeSamples } from "../contract/samples.ts";
import { samplesPerStep, type BatchSize } from "./batches.ts";
import { knobTypes } from "./knobs.ts";
import { initialCarry } from "./state.ts";

/** What a training step is made of. */
export interface StepOptions {
  readonly problem: Problem;
  readonly method: Method;
  /** Samples per step, or `full` (default). The last, incomplete batch of an epoch is dropped. */
  readonly batchSize?: BatchSize | undefined;
  /** Record x and x⁺ of every step; meant for planes. Default false. */
  readonly recordPoints?: boolean | undefined;
}

/** What every step of a run is given: the data. */
export const trainingInputs = ({ train, constants = {} }: Problem) => ({
  samples: train.batch,
  constants,
});

/** Whether steps are given a random key. */
export const drawsRandom = (problem: Problem, method: Method): boolean =>
  method.random === true || problem.random === true || problem.prepare !== undefined;

interface Carry {
  readonly params: ArrayTree;
  readonly memory: ArrayTree;
  readonly outer: ArrayTree;
  readonly statistics: ArrayTree;
}
interface Inputs {
  readonly samples: ArrayTree;
  readonly constants: ArrayTree;
}
interface StepKnobs {
  readonly method: { readonly [name: string]: ArrayTree };
  readonly outer: { readonly [name: string]: ArrayTree };
  readonly step: np.Array;
  /** Of the batch's samples; absent where all samples are the batch. */
  readonly indices?: np.Array | undefined;
  readonly key?: np.Array | undefined;
}

/** The step that `compileTraining` compiles, with the types it expects. */
export function trainingStep({
  problem,
  method,
  batchSize = "full",
  recordPoints = false,
}: StepOptions): StepDefinition {
  const { size } = problem.train;
  const samples = samplesPerStep(problem, batchSize);
  return {
    carry: typesOf(initialCarry(problem, method, samples, 0)),
    inputs: typesOf(trainingInputs(problem)),
    knobs: {
      ...knobTypes(method, problem.dtype),
      step: { dtype: "int32", shape: [] },
      ...(samples < size && { indices: { dtype: "int32", shape: [samples] } }),
      ...(drawsRandom(problem, method) && { key: { dtype: "uint32", shape: [2] } }),
    },
    step(carryTree, inputTree, knobTree) {
      const carry = carryTree as unknown as Carry;
      const inputs = inputTree as unknown as Inputs;
      const knobs = knobTree as unknown as StepKnobs;
      const { params, memory, outer } = carry;
      const time: StepTime = { step: knobs.step, key: knobs.key };
      const objective = stepObjective(problem, carry, inputs, knobs.indices, time);
      const result = method.step({
        objective,
        params,
        memory,
        outerState: outer,
        knobs: { ...knobs.method, outer: knobs.outer },
        time,
      });
      const { evidence } = result;
      const finite = isFinite(evidence, result.params);
      const next: ArrayTree = {
        params: result.params,
        memory: result.memory,
        outer: result.outerState,
        statistics: objective.statistics ?? carry.statistics,
      };
      const floating = (value: number | np.Array) =>
        typeof value === "number" ? scalar(value, evidence.loss) : value;
      return {
        carry: selectTree(finite, next, { ...carry }),
        record: {
          loss: evidence.loss,
          shiftedLoss: evidence.shiftedLoss,
          gradNorm: evidence.gradNorm,
          shiftedGradNorm: evidence.shiftedGradNorm,
          cosine: evidence.cosine,
          directionNorm: evidence.directionNorm ?? evidence.shiftedGradNorm,
          evaluations: floating(objective.evaluations),
          skipped: np.where(finite.ref, scalar(0, evidence.loss), scalar(1, evidence.loss)),
          details: { ...evidence.details },
          ...(recordPoints && {
            point: params,
            ascentPoint: evidence.ascentPoint,
          }),
        },
      };
    },
  };
}

/** The problem as this step's passes see it: on one batch, prepared once. */
function stepObjective(
  problem: Problem,
  { statistics }: Carry,
  { samples, constants }: Inputs,
  indices: np.Array | undefined,
  time: StepTime,
) {
  const types = typesOf(problem.train.batch);
  const prepare = (raw: ArrayTree): ArrayTree => {
    const batch = castBytes(raw, types, problem.dtype);
    return problem.prepare ? problem.prepare(share(batch), preparationKey(time)) : batch;
  };
  const take = (at: np.Array) => prepare(takeSamples(samples, at));
  return objectiveOf(
    problem,
    indices ? take(indices) : prepare(samples),
    {
      mode: "train",
      key: time.key,
      statistics: problem.initStatistics && statistics,
      constants: problem.constants && constants,
    },
    { size: problem.train.size, indices, take },
  );
}

/** Whether all that a step saw and came to is finite. */
function isFinite(evidence: Evidence, params: ArrayTree): np.Array {
  // A sum is finite only if every term is: one test for all passes and what came of them.
  const terms = [
    evidence.loss,
    evidence.shiftedLoss,
    evidence.gradNorm,
    evidence.shiftedGradNorm,
    ...leaves(params).map((leaf) => np.sum(leaf.ref)),
  ];
  return np.isfinite(terms.reduce(add));
}
