/**
 * Networks to time: residual networks, transformers and a graph network in their simplest form, as pure
 * functions of jax-js. Their peers in PyTorch, of the same sizes, are peers/torch_networks.py.
 */
import { lax, nn, np, vjp } from "../engine/jax-js.ts";
import { scalar } from "../engine/arrays.ts";
import type { ArrayTree } from "../engine/program.ts";
import { randomStream } from "../engine/random.ts";
import { tensor, wrap, type Tensor, type TensorType, type Tree } from "../engine/tensor.ts";
import {
  classes,
  crossEntropy,
  initialize,
  knobs,
  knobTypes,
  randomInputs,
  samStep,
  type,
  type Workload,
} from "./workloads.ts";

/** Samples that mini-batches are drawn from. */
const samples = 512;

/** A step on mini-batches, as many as `steps`, of the samples in `inputs`. */
function miniBatches(
  loss: (params: ArrayTree, x: np.Array, target: np.Array) => np.Array,
  types: Tree<TensorType>,
  inputs: { x: Tensor; target: Tensor },
  { batch, steps }: { readonly batch: number; readonly steps: number },
): Workload {
  const random = randomStream(0, "rows");
  const rows = Int32Array.from({ length: steps * batch }, () => random.integer(samples));
  const typeOf = ({ dtype, shape }: Tensor): TensorType => ({ dtype, shape });
  return {
    definition: {
      step: samStep(loss, (given, drawn) => {
        const { x, target } = given as { x: np.Array; target: np.Array };
        const { rows: at } = drawn as { rows: np.Array };
        return { x: np.take(x.ref, at.ref, 0), target: np.take(target.ref, at.ref, 0) };
      }),
      carry: types,
      inputs: { x: typeOf(inputs.x), target: typeOf(inputs.target) },
      knobs: { ...knobTypes, rows: { dtype: "int32", shape: [batch] } },
    },
    data: {
      carry: initialize(types),
      inputs: { ...inputs },
      knobs: { ...knobs, rows: wrap(rows, [steps, batch], "int32") },
    },
  };
}

const mean = (x: np.Array, axes: number[]) => {
  const n = axes.reduce((product, axis) => product * (x.shape.at(axis) as number), 1);
  const sum = np.sum(x, axes, { keepdims: true });
  return np.multiply(sum.ref, scalar(1 / n, sum));
};

/** (x − mean)/√(variance + 1e-5) over `axes`, scaled and shifted. */
function normalize(
  x: np.Array,
  axes: number[],
  { gain, offset }: { gain: np.Array; offset: np.Array },
): np.Array {
  const centered = np.subtract(x.ref, mean(x, axes));
  const variance = mean(np.square(centered.ref), axes);
  const deviation = np.sqrt(np.add(variance.ref, scalar(1e-5, variance)));
  return np.add(np.multiply(np.divide(centered, deviation), gain), offset);
}

/** Sizes of a residual network. */
export interface ResidualSize {
  readonly batch: number;
  /** Channels of each stage; every stage but the first halves the sides. */
  readonly widths: readonly number[];
  /** Blocks per stage. */
  readonly depth: number;
  /** Whether convolutions past a block are normalized, too. */
  readonly normalSkip?: boolean | undefined;
  /** Steps in a run. */
  readonly steps: number;
}

interface Normal {
  readonly kernel: np.Array;
  readonly gain: np.Array;
  readonly offset: np.Array;
}

/** Residual blocks of two 3 × 3 convolutions with batch norm and ReLU on 3 × 32 × 32 images. */
export function residual({ widths, depth, normalSkip, ...run }: ResidualSize): Workload {
  const [narrow = 0] = widths;
  const normal = (to: number, from: number, side: number) => ({
    kernel: type(to, from, side, side),
    gain: type(to, 1, 1),
    offset: type(to, 1, 1),
  });
  const block = (from: number, to: number) => ({
    first: normal(to, from, 3),
    second: normal(to, to, 3),
    ...(from === to
      ? {}
      : { skip: normalSkip === true ? normal(to, from, 1) : { kernel: type(to, from, 1, 1) } }),
  });
  const types = {
    stem: normal(narrow, 3, 3),
    blocks: widths.flatMap((width, i) =>
      Array.from({ length: depth }, (_, j) =>
        block(j === 0 ? (widths[i - 1] ?? narrow) : width, width),
      ),
    ),
    head: { weight: type(widths.at(-1) as number, classes), bias: type(classes) },
  };
  type Params = {
    stem: Normal;
    blocks: { first: Normal; second: Normal; skip?: { kernel: np.Array } & Partial<Normal> }[];
    head: { weight: np.Array; bias: np.Array };
  };
  const convolve = (x: np.Array, kernel: np.Array, stride: number) => {
    const zeros = ((kernel.shape[2] as number) - 1) / 2;
    return lax.convGeneralDilated(
      x,
      kernel,
      [stride, stride],
      [
        [zeros, zeros],
        [zeros, zeros],
      ],
    );
  };
  const normalized = (x: np.Array, layer: Normal, stride: number) =>
    normalize(convolve(x, layer.kernel, stride), [0, 2, 3], layer);
  const loss = (params: ArrayTree, x: np.Array, target: np.Array) => {
    const { stem, blocks, head } = params as unknown as Params;
    let y = nn.relu(normalized(x, stem, 1));
    blocks.forEach(({ first, second, skip }, i) => {
      const stride = i > 0 && i % depth === 0 ? 2 : 1;
      const inner = normalized(nn.relu(normalized(y.ref, first, stride)), second, 1);
      let past = y;
      if (skip !== undefined) {
        past =
          skip.gain === undefined
            ? convolve(y, skip.kernel, stride)
            : normalized(y, skip as Normal, stride);
      }
      y = nn.relu(np.add(inner, past));
    });
    const features = np.squeeze(mean(y, [2, 3]), [2, 3]);
    return crossEntropy(np.add(np.dot(features, head.weight), head.bias), target);
  };
  return miniBatches(loss, types, randomInputs(samples, [3, 32, 32]), run);
}

/** Sizes of a transformer. */
export interface TransformerSize {
  readonly kind: "vit" | "gpt";
  readonly batch: number;
  readonly tokens: number;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly steps: number;
}

/** Characters that a `gpt` knows. */
const characters = 65;

/** Numbers in one of 64 patches of an image of 3 × 32 × 32. */
const patch = 48;

interface Dense {
  readonly weight: np.Array;
  readonly bias: np.Array;
}

interface TransformerBlock {
  readonly before: { gain: np.Array; offset: np.Array };
  readonly query: Dense;
  readonly key: Dense;
  readonly value: Dense;
  readonly out: Dense;
  readonly middle: { gain: np.Array; offset: np.Array };
  readonly up: Dense;
  readonly down: Dense;
}

/**
 * A transformer with layer norm before attention and before its two dense layers, GELU between
 * them: `vit` tells classes from patches of images, `gpt` the next character at every place.
 */
export function transformer(size: TransformerSize): Workload {
  const { kind, tokens, width, depth, heads } = size;
  const dense = (from: number, to: number) => ({ weight: type(from, to), bias: type(to) });
  const norm = { gain: type(width), offset: type(width) };
  const types = {
    embedding: kind === "vit" ? dense(patch, width) : { weight: type(characters, width) },
    position: { weight: type(tokens, width) },
    blocks: Array.from({ length: depth }, () => ({
      before: norm,
      query: dense(width, width),
      key: dense(width, width),
      value: dense(width, width),
      out: dense(width, width),
      middle: norm,
      up: dense(width, 4 * width),
      down: dense(4 * width, width),
    })),
    after: norm,
    head: dense(width, kind === "vit" ? classes : characters),
  };
  const apply = (x: np.Array, { weight, bias }: Dense) => np.add(np.matmul(x, weight), bias);
  const split = (x: np.Array) => {
    const [batch = 0] = x.shape;
    return x.reshape([batch, tokens, heads, width / heads]);
  };
  const block = (given: np.Array, layer: TransformerBlock) => {
    const x = normalize(given.ref, [-1], layer.before);
    const query = split(apply(x.ref, layer.query));
    const key = split(apply(x.ref, layer.key));
    const value = split(apply(x, layer.value));
    const attended = nn.dotProductAttention(query, key, value, { isCausal: kind === "gpt" });
    const seen = np.add(given, apply(attended.reshape([...given.shape]), layer.out));
    const inner = apply(normalize(seen.ref, [-1], layer.middle), layer.up);
    return np.add(seen, apply(nn.gelu(inner, { approximate: false }), layer.down));
  };
  const loss = (params: ArrayTree, x: np.Array, target: np.Array) => {
    const { embedding, position, blocks, after, head } = params as unknown as {
      embedding: Dense;
      position: { weight: np.Array };
      blocks: TransformerBlock[];
      after: { gain: np.Array; offset: np.Array };
      head: Dense;
    };
    const embedded = kind === "vit" ? apply(x, embedding) : np.take(embedding.weight, x, 0);
    let y = np.add(embedded, position.weight);
    for (const layer of blocks) y = block(y, layer);
    const last = normalize(y, [-1], after);
    if (kind === "vit") {
      return crossEntropy(apply(np.squeeze(mean(last, [1]), [1]), head), target);
    }
    const logits = apply(last, head).reshape([-1, characters]);
    const wanted = nn.oneHot(target.reshape([-1]), characters);
    return crossEntropy(logits, wanted.astype(logits.dtype));
  };
  if (kind === "vit") return miniBatches(loss, types, randomInputs(samples, [tokens, patch]), size);
  const random = randomStream(0, "characters");
  const draw = () =>
    wrap(
      Int32Array.from({ length: samples * tokens }, () => random.integer(characters)),
      [samples, tokens],
      "int32",
    );
  return miniBatches(loss, types, { x: draw(), target: draw() }, size);
}

/** Sizes of a graph network. */
export interface GraphSize {
  readonly nodes: number;
  readonly features: number;
  readonly hidden: number;
  /** Edges between different nodes, both directions counted; every node has one to itself. */
  readonly edges: number;
}

/** A graph convolutional network of two layers (Kipf & Welling 2017), full batch, by a list of edges. */
export function graphNetwork({ nodes, features, hidden, edges }: GraphSize): Workload {
  const random = randomStream(0, "edges");
  const ends = Array.from({ length: edges + nodes }, (_, i) =>
    i < edges ? [random.integer(nodes), random.integer(nodes)] : [i - edges, i - edges],
  );
  const list = (values: number[], dtype: "int32" | "float32") =>
    tensor(values, [values.length], dtype);
  const types = {
    first: { weight: type(features, hidden), bias: type(hidden) },
    second: { weight: type(hidden, classes), bias: type(classes) },
  };
  const inputs = {
    ...randomInputs(nodes, [features]),
    from: list(
      ends.map(([from = 0]) => from),
      "int32",
    ),
    to: list(
      ends.map(([, to = 0]) => to),
      "int32",
    ),
    weight: list(
      ends.map(() => 0.25),
      "float32",
    ),
  };
  type Edges = { from: np.Array; to: np.Array; weight: np.Array };
  const sumOverEdges = (x: np.Array, { from: source, to: end, weight }: Edges) => {
    const messages = np.multiply(np.take(x.ref, source.ref, 0), weight.ref.reshape([-1, 1]));
    // Adding up what arrives at a node is the transpose of taking from it.
    const [, transpose] = vjp((h: np.Array) => np.take(h, end.ref, 0), [np.zerosLike(x)]);
    return transpose(messages)[0];
  };
  return {
    definition: {
      step: (carry, given, drawn) => {
        const { x, target, ...graph } = given as { x: np.Array; target: np.Array } & Edges;
        const step = samStep(
          (params, features_, wanted) => {
            const { first, second } = params as unknown as { first: Dense; second: Dense };
            const inner = np.add(sumOverEdges(np.dot(features_, first.weight), graph), first.bias);
            const logits = sumOverEdges(np.dot(nn.relu(inner), second.weight), graph);
            return crossEntropy(np.add(logits, second.bias), wanted);
          },
          () => ({ x, target }),
        );
        return step(carry, given, drawn);
      },
      carry: types,
      inputs: Object.fromEntries(
        Object.entries(inputs).map(([name, { dtype, shape }]) => [name, { dtype, shape }]),
      ),
      knobs: knobTypes,
    },
    data: { carry: initialize(types), inputs, knobs },
  };
}
