import { digits, imageSplits, mlp, prepareTraining, sam, sgd } from "lucid-sam";

const { train, test } = imageSplits(digits({ train: 500 }));
const problem = mlp({ train, test, hidden: [64] });
const method = sam({ rho: 2, outer: sgd({ learningRate: 0.02 }) });

const training = await prepareTraining({ problem, method });
const { verdict } = await training.run({
  steps: 6000,
  onWarning: ({ step, sentence }) => console.log(`step ${step}: ${sentence}`),
});
await training.dispose();
console.log(verdict.sentence);
