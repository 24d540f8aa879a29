/** Workloads to time: training steps as their users write them, with data to run them on. */
import { nn, np, valueAndGrad } from "../engine/jax-js.ts";
import { divide, mapTrees, moveAlong, multiply, norm, scalar, share } from "../engine/arrays.ts";
import type { ArrayTree, ProgramRun, StepDefinition } from "../engine/program.ts";
import { randomStream } from "../engine/random.ts";
import {
  mapTree,
  scalarTensor,
  sizeOf,
  wrap,
  zeros,
  type Tensor,
  type TensorType,
  type Tree,
} from "../engine/tensor.ts";

/** Sizes of a two-layer network trained on a full batch. */
export interface MlpSize {
  readonly batch: number;
  readonly inputs: number;
  readonly hidden: number;
}

export interface Workload {
  readonly definition: StepDefinition;
  readonly data: Pick<ProgramRun, "carry" | "inputs" | "knobs">;
}

export const classes = 10;

export const type = (...shape: number[]): TensorType => ({ dtype: "float32", shape });
export const knobTypes = { rho: type(), rate: type() };

/** Sharpness-aware minimization with plain descent: two gradients per step (Foret et al. 2021). */
export function samStep(
  loss: (params: ArrayTree, x: np.Array, target: np.Array) => np.Array,
  draw: (inputs: ArrayTree, knobs: ArrayTree) => { x: np.Array; target: np.Array },
): StepDefinition["step"] {
  return (carry, inputs, knobs) => {
    const { rho, rate } = knobs as { rho: np.Array; rate: np.Array };
    const { x, target } = draw(inputs, knobs);
    const at = (params: ArrayTree) =>
      valueAndGrad((p: ArrayTree) => loss(p, x.ref, target.ref))(share(params)) as [
        np.Array,
        ArrayTree,
      ];
    const [value, gradient] = at(carry);
    const [, shifted] = at(moveAlong(carry, divide(rho, norm(gradient)), gradient));
    return {
      carry: mapTrees((p, g) => np.subtract(p.ref, multiply(g, rate)), carry, shifted),
      record: { value },
    };
  };
}

export function crossEntropy(logits: np.Array, target: np.Array): np.Array {
  const count = logits.shape[0] as number;
  const likelihood = np.sum(np.multiply(nn.logSoftmax(logits), target));
  return np.multiply(likelihood.ref, scalar(-1 / count, likelihood));
}

/** Weights uniform in ±√(3/fan-in), gains 1, the rest 0. */
export function initialize(types: Tree<TensorType>): Tree<Tensor> {
  const random = randomStream(0, "weights");
  return mapTree(types, ({ shape, dtype }, path) => {
    const tensor = zeros(shape, dtype);
    if (path.endsWith("gain")) tensor.data.fill(1);
    const fan = shape.length === 2 ? (shape[0] as number) : sizeOf(shape.slice(1));
    const bound = Math.sqrt(3 / fan);
    if (/weight|kernel/.test(path))
      tensor.data.forEach((_, i) => (tensor.data[i] = random.uniform(-bound, bound)));
    return tensor;
  });
}

export function randomInputs(
  count: number,
  shape: readonly number[],
): { x: Tensor; target: Tensor } {
  const random = randomStream(0, "inputs");
  const x = Float32Array.from({ length: count * sizeOf(shape) }, () => random.uniform(-1, 1));
  const target = zeros([count, classes], "float32");
  for (let i = 0; i < count; i++) target.data[i * classes + (i % classes)] = 1;
  return { x: wrap(x, [count, ...shape], "float32"), target };
}

export const knobs = { rho: scalarTensor(0.5, "float32"), rate: scalarTensor(0.1, "float32") };

/** A full-batch step of inputs–hidden–10 with tanh. */
export function mlpWorkload({ batch, inputs, hidden }: MlpSize): Workload {
  type Layer = { weight: np.Array; bias: np.Array };
  const layer = (x: np.Array, { weight, bias }: Layer) => np.add(np.dot(x, weight), bias);
  const types = {
    first: { weight: type(inputs, hidden), bias: type(hidden) },
    second: { weight: type(hidden, classes), bias: type(classes) },
  };
  const step = samStep(
    (params, x, target) => {
      const { first, second } = params as { first: Layer; second: Layer };
      return crossEntropy(layer(np.tanh(layer(x, first)), second), target);
    },
    (given) => given as { x: np.Array; target: np.Array },
  );
  return {
    definition: {
      step,
      carry: types,
      inputs: { x: type(batch, inputs), target: type(batch, classes) },
      knobs: knobTypes,
    },
    data: { carry: initialize(types), inputs: randomInputs(batch, [inputs]), knobs },
  };
}

/** Floating-point operations of the matrix products in one step of {@link mlp}. */
export const mlpOperations = ({ batch, inputs, hidden }: MlpSize): number =>
  batch * (8 * inputs * hidden + 12 * hidden * classes);

/** c ← a·b with square matrices: what the machine can do at best. */
export function matrixProduct(side: number): Workload {
  const matrix = type(side, side);
  const random = randomStream(0, "matrices");
  // Scaled so that repeated products neither grow nor vanish.
  const bound = Math.sqrt(3 / side);
  const draw = () =>
    wrap(
      Float32Array.from({ length: side * side }, () => random.uniform(-bound, bound)),
      matrix.shape,
      "float32",
    );
  return {
    definition: {
      step: (carry, inputs) => {
        const { c } = carry as { c: np.Array };
        const { a } = inputs as { a: np.Array };
        return { carry: { c: np.matmul(a, c) }, record: {} };
      },
      carry: { c: matrix },
      inputs: { a: matrix },
      knobs: {},
    },
    data: { carry: { c: draw() }, inputs: { a: draw() }, knobs: {} },
  };
}
