/**
 * SAM and the switch: train one network twice with a ρ that is too large: with SAM from the start, and
 * with plain descent for the first tenth. SAM stalls where its shifted gradient vanishes and the true
 * one does not; the switch trains.
 */
import assert from "node:assert/strict";
import {
  createScreen,
  digits,
  gradientDescent,
  imageSplits,
  isHallucinated,
  mlp,
  prepareTraining,
  sam,
  sgd,
  switching,
  type Method,
} from "lucid-sam";

const { train, test } = imageSplits(digits({ train: 500 }));
const problem = mlp({ train, test, hidden: [64] });
const outer = sgd({ learningRate: 0.02 });
const sharp = sam({ rho: 2, outer });
const late = switching({ from: gradientDescent({ outer }), to: sharp, at: 0.1 });

async function run(method: Method) {
  const training = await prepareTraining({ problem, method });
  const screen = createScreen({ dtype: problem.dtype, engine: training.program.engine });
  let loss = NaN;
  await training.run({
    steps: 6000,
    onRecords(records) {
      const warning = screen.push(records);
      if (warning) console.log(`${method.name}, step ${warning.step}: ${warning.sentence}`);
      loss = records.loss.at(-1) ?? NaN;
    },
  });
  await training.dispose();
  const verdict = screen.verdict();
  console.log(`${method.name}: loss ${loss.toFixed(4)}. ${verdict.sentence}`);
  return { loss, verdict };
}

const stalled = await run(sharp);
const trained = await run(late);
assert(isHallucinated(stalled.verdict.name), "SAM with a large ρ stalls at a hallucinated point");
assert(stalled.loss > 2, "which is no better than guessing");
assert(trained.loss < 0.1, "the same ρ, switched on later, trains");
