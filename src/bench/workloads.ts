/** Workloads to time: training steps as their users write them, with data to run them on. */
import { lax, nn, np, valueAndGrad } from "../engine/jax-js.ts";
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

const classes = 10;

const type = (...shape: number[]): TensorType => ({ dtype: "float32", shape });
const knobTypes = { rho: type(), rate: type() };

/** Sharpness-aware minimization with plain descent: two gradients per step (Foret et al. 2021). */
function samStep(
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

function crossEntropy(logits: np.Array, target: np.Array): np.Array {
  const count = logits.shape[0] as number;
  const likelihood = np.sum(np.multiply(nn.logSoftmax(logits), target));
  return np.multiply(likelihood.ref, scalar(-1 / count, likelihood));
}

/** Weights uniform in ±√(3/fan-in), gains 1, the rest 0. */
function initialize(types: Tree<TensorType>): Tree<Tensor> {
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

function randomInputs(count: number, shape: readonly number[]): { x: Tensor; target: Tensor } {
  const random = randomStream(0, "inputs");
  const x = Float32Array.from({ length: count * sizeOf(shape) }, () => random.uniform(-1, 1));
  const target = zeros([count, classes], "float32");
  for (let i = 0; i < count; i++) target.data[i * classes + (i % classes)] = 1;
  return { x: wrap(x, [count, ...shape], "float32"), target };
}

const knobs = { rho: scalarTensor(0.5, "float32"), rate: scalarTensor(0.1, "float32") };

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

const widths = [16, 32, 64];

/**
 * A mini-batch step of a small residual network on 3 × 32 × 32 images: three blocks of two
 * 3 × 3 convolutions with batch norm and ReLU, the last two with stride 2.
 */
export function residual(batch: number, steps: number): Workload {
  const count = 512;
  const scaled = (channels: number) => ({
    gain: type(channels, 1, 1),
    offset: type(channels, 1, 1),
  });
  const block = (from: number, to: number) => ({
    first: { kernel: type(to, from, 3, 3), ...scaled(to) },
    second: { kernel: type(to, to, 3, 3), ...scaled(to) },
    ...(from === to ? {} : { skip: { kernel: type(to, from, 1, 1) } }),
  });
  const types = {
    stem: { kernel: type(16, 3, 3, 3), ...scaled(16) },
    blocks: widths.map((width, i) => block(widths[i - 1] ?? 16, width)),
    head: { weight: type(64, classes), bias: type(classes) },
  };
  type Normal = { kernel: np.Array; gain: np.Array; offset: np.Array };
  type Params = {
    stem: Normal;
    blocks: { first: Normal; second: Normal; skip?: { kernel: np.Array } }[];
    head: { weight: np.Array; bias: np.Array };
  };
  const mean = (x: np.Array, axes: number[]) => {
    const n = axes.reduce((product, axis) => product * (x.shape[axis] as number), 1);
    const sum = np.sum(x, axes, { keepdims: true });
    return np.multiply(sum.ref, scalar(1 / n, sum));
  };
  const normalized = (x: np.Array, { kernel, gain, offset }: Normal, stride: number) => {
    const y = lax.convGeneralDilated(
      x,
      kernel,
      [stride, stride],
      [
        [1, 1],
        [1, 1],
      ],
    );
    const centered = np.subtract(y.ref, mean(y, [0, 2, 3]));
    const variance = mean(np.square(centered.ref), [0, 2, 3]);
    const deviation = np.sqrt(np.add(variance.ref, scalar(1e-5, variance)));
    return np.add(np.multiply(np.divide(centered, deviation), gain), offset);
  };
  const loss = (params: ArrayTree, x: np.Array, target: np.Array) => {
    const { stem, blocks, head } = params as unknown as Params;
    let y = nn.relu(normalized(x, stem, 1));
    blocks.forEach(({ first, second, skip }, i) => {
      const stride = i === 0 ? 1 : 2;
      const inner = normalized(nn.relu(normalized(y.ref, first, stride)), second, 1);
      const past =
        skip === undefined
          ? y
          : lax.convGeneralDilated(
              y,
              skip.kernel,
              [stride, stride],
              [
                [0, 0],
                [0, 0],
              ],
            );
      y = nn.relu(np.add(inner, past));
    });
    const features = np.squeeze(mean(y, [2, 3]), [2, 3]);
    return crossEntropy(np.add(np.dot(features, head.weight), head.bias), target);
  };
  const step = samStep(loss, (given, drawn) => {
    const { x, target } = given as { x: np.Array; target: np.Array };
    const { rows } = drawn as { rows: np.Array };
    return { x: np.take(x.ref, rows.ref, 0), target: np.take(target.ref, rows.ref, 0) };
  });
  const random = randomStream(0, "rows");
  const rows = Int32Array.from({ length: steps * batch }, () => random.integer(count));
  return {
    definition: {
      step,
      carry: types,
      inputs: { x: type(count, 3, 32, 32), target: type(count, classes) },
      knobs: { ...knobTypes, rows: { dtype: "int32", shape: [batch] } },
    },
    data: {
      carry: initialize(types),
      inputs: randomInputs(count, [3, 32, 32]),
      knobs: { ...knobs, rows: wrap(rows, [steps, batch], "int32") },
    },
  };
}

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
