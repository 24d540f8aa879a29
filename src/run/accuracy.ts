/** How often a network is right: forward passes in blocks, the decision on the host. */
import { compile, type EngineOptions } from "../engine/index.ts";
import { mapTree, sizeOf, typesOf, zeros, type Tensor, type Tree } from "../engine/tensor.ts";
import type { Problem, Split } from "../problems/problem.ts";

/** Samples per forward pass: enough to be fast, few enough to bound memory. */
const blockSize = 500;

/** Judges the parameters of one classifier. */
export interface Classifier {
  /** Fraction of a split's samples, `{ x, y: int32[n] }`, whose largest output is that of `y`. */
  accuracy(params: Tree<Tensor>, split: Split): Promise<number>;
  dispose(): Promise<void>;
}

/** Compile the forward pass of a problem whose outputs are logits [samples, classes]. */
export async function prepareClassifier(
  problem: Problem,
  options: EngineOptions,
): Promise<Classifier> {
  const blocks = mapTree(typesOf(problem.train.batch), ({ dtype, shape }) => ({
    dtype,
    shape: [blockSize, ...shape.slice(1)],
  }));
  // Blocks of samples are knobs: one per step. Nothing is carried from one to the next.
  const program = await compile(
    {
      carry: {},
      inputs: typesOf(problem.init(0)),
      knobs: blocks,
      step(carry, params, block) {
        const { outputs } = problem.forward(params, block, { mode: "evaluate" });
        if (outputs === undefined) throw new TypeError(`problem ${problem.name} has no outputs`);
        return { carry, record: { outputs } };
      },
    },
    options,
  );
  return {
    async accuracy(params, { batch, size }) {
      const steps = Math.ceil(size / blockSize);
      const knobs = mapTree(batch, (leaf) => inBlocks(leaf, steps));
      const { records } = await program.run({ carry: {}, inputs: params, knobs, steps });
      const { outputs } = records as { outputs: Tensor };
      const { y } = batch as { y: Tensor };
      return countHits(outputs, y) / size;
    },
    dispose: () => program.dispose(),
  };
}

/** Rows [n, …] as [steps, blockSize, …], the last block filled up with zeros. */
function inBlocks({ dtype, shape, data }: Tensor, steps: number): Tensor {
  const blocked = [steps, blockSize, ...shape.slice(1)];
  if (data.length === sizeOf(blocked)) return { dtype, shape: blocked, data };
  const padded = zeros(blocked, dtype);
  padded.data.set(data);
  return padded;
}

/** Samples whose largest output is that of their label; the first of equals counts. */
function countHits(outputs: Tensor, labels: Tensor): number {
  const classes = outputs.shape.at(-1) as number;
  let hits = 0;
  labels.data.forEach((label, i) => {
    const row = outputs.data.subarray(i * classes, (i + 1) * classes);
    hits += row.indexOf(Math.max(...row)) === label ? 1 : 0;
  });
  return hits;
}
