/**
 * A problem file: `npx lucid train --problem ./examples/31-a-problem-file.ts --data ./examples/spiral.csv --rho 0.1`
 */
import {
  crossEntropy,
  defineProblem,
  dense,
  isRight,
  np,
  type ProblemFileContext,
} from "lucid-sam";

export default function spiral({ table, dtype }: ProblemFileContext) {
  if (table === undefined) throw new Error("missing data: give --data FILE.csv");
  const [test, train] = table.split(0.25);
  const samples = (part: typeof table) => ({
    x: part.numbers("x", "y"),
    y: part.labels("arm"),
  });
  return defineProblem({
    name: "spiral",
    dtype,
    train: samples(train),
    test: samples(test),
    init: (random) => ({ hidden: random.dense(2, 24), output: random.dense(24, 3) }),
    forward({ hidden, output }, { x, y }) {
      const logits = dense(np.tanh(dense(x, hidden)), output);
      return { losses: crossEntropy(logits.ref, y), outputs: logits };
    },
    score: (logits, { y }) => isRight(logits, y),
  });
}
