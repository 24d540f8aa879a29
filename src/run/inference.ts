/** Inference models: a trained network as ONNX, from samples to outputs, for any number of samples. */
import { share } from "../engine/arrays.ts";
import { InputError } from "../engine/errors.ts";
import { loadJax, np } from "../engine/jax-js.ts";
import type { ArrayTree } from "../engine/program.ts";
import { mapTree, type Tensor, type Tree } from "../engine/tensor.ts";
import type { Model, Problem } from "../problems/problem.ts";
import { castBytes } from "../sam/contract/samples.ts";

/** Two numbers of samples; what differs between the graphs for them depends on that number. */
const sizes = [11, 13] as const;

/**
 * The forward pass in evaluation as an ONNX model of opset 20 with standard operators only: inputs
 * are the samples by name, but for the labels `y`, and its output is `logits`. Any number of samples
 * may be given, where the problem has no constants that mean them by place.
 *
 * @throws {InputError} when the problem has no outputs, or looks at samples together.
 */
export async function inferenceModel(problem: Problem, model: Model): Promise<Uint8Array> {
  await loadJax();
  const { functionToOnnx } = await import("../engine/native/function.ts");
  const { constants = {}, dtype } = problem;
  const { batch } = problem.train;
  const { y: labels, ...samples } = batch as { [name: string]: Tensor };
  const fixed: Tree<Tensor> = { params: model.params, statistics: model.statistics, constants };
  const definitionFor = (size: number) => {
    const resized = (leaf: Tensor) => ({
      dtype: leaf.dtype,
      shape: [size, ...leaf.shape.slice(1)],
    });
    const types = mapTree(samples, resized);
    return {
      given: types,
      fixed,
      compute(given: ArrayTree, held: ArrayTree) {
        const { params, statistics, constants } = held as { [part: string]: ArrayTree };
        const y = labels && {
          y: np.zeros([size, ...labels.shape.slice(1)], {
            dtype: labels.dtype === "int32" ? np.int32 : np[dtype],
          }),
        };
        const { outputs } = problem.forward(
          params as ArrayTree,
          { ...(share(castBytes(given, types, dtype)) as { [name: string]: ArrayTree }), ...y },
          {
            mode: "evaluate",
            statistics: problem.initStatistics && statistics,
            constants: problem.constants && constants,
          },
        );
        if (outputs === undefined) {
          throw new InputError(`missing outputs: problem ${problem.name} gives losses alone`);
        }
        return { logits: outputs };
      },
    };
  };
  return problem.constants
    ? functionToOnnx([definitionFor(problem.train.size)])
    : functionToOnnx(sizes.map(definitionFor), { sizes, name: problem.name });
}
