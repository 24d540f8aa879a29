import { createScreen, digits, imageSplits, mlp, prepareTraining, sam, sgd } from "lucid-sam";

const { train, test } = imageSplits(digits({ train: 500 }));
const problem = mlp({ train, test, hidden: [64] });
const method = sam({ rho: 2, outer: sgd({ learningRate: 0.02 }) });

const training = await prepareTraining({ problem, method });
const screen = createScreen({ dtype: problem.dtype, engine: training.program.engine });
await training.run({
  steps: 6000,
  onRecords(records) {
    const warning = screen.push(records);
    if (warning) console.log(`step ${warning.step}: ${warning.sentence}`);
  },
});
await training.dispose();
console.log(screen.verdict().sentence);
