/** The graph convolutional network (Kipf & Welling 2017): classes of nodes, a few of which are known. */
import { z } from "zod";
import { np } from "../../engine/jax-js.ts";
import { add, multiply } from "../../engine/arrays.ts";
import { checkNames, InputError, unknownName } from "../../engine/errors.ts";
import { castFloat, tensor } from "../../engine/tensor.ts";
import { choice, list, shownAs } from "../../settings/fields.ts";
import type { GraphSamples, NodeSplit } from "../datasets/graphs.ts";
import { problemEntry } from "../entry.ts";
import type { DenseLayer } from "../layers/dense.ts";
import { normalizedEdges, sumOverNeighbors, type Edges } from "../layers/graph.ts";
import { initializer } from "../layers/initializer.ts";
import { roleByName, type FloatType, type Problem } from "../problem.ts";
import { activations, type ActivationName } from "./activations.ts";
import {
  checkLabels,
  crossEntropy,
  isRight,
  labelEntropy,
  labeledSamples,
} from "./classification.ts";

/** What a graph convolutional network is made of. */
export interface GcnOptions extends Omit<GraphSamples, "kind" | "test"> {
  readonly kind?: GraphSamples["kind"] | undefined;
  readonly test?: NodeSplit | undefined;
  /** Widths of the hidden layers; default `[16]`. */
  readonly hidden?: readonly number[] | undefined;
  /** Default `relu`. */
  readonly activation?: ActivationName | undefined;
  /** Default `float32`. */
  readonly dtype?: FloatType | undefined;
}

/**
 * Graph convolutional network: every layer is Â x Wᵀ + b with Â = D^(−½) (A + I) D^(−½), an activation
 * between them; the loss is the mean cross-entropy of the nodes that count, their score the
 * accuracy among them. Sums go along the list of edges, so that memory grows with edges and not with
 * pairs of nodes. Every step sees the whole graph.
 *
 * Parameters `layers/0/weight`, `layers/0/bias`, … are initialized bit for bit as PyTorch's `nn.Linear` of
 * the same sizes made in order after `torch.manual_seed(seed)`.
 *
 * @throws {InputError} when an option is unknown or out of range, or the samples do not fit.
 * @example
 * const problem = gcn({ ...karate(), hidden: [4] });
 */
export function gcn(options: GcnOptions): Problem {
  checkNames("option", options, names);
  const { edges, classes, hidden = [16], activation = "relu", dtype = "float32" } = options;
  const wrong = hidden.find((width) => !(Number.isInteger(width) && width >= 1));
  if (wrong !== undefined) throw new InputError(`invalid hidden: ${wrong} (${widthsRemedy})`);
  if (!Object.hasOwn(activations, activation)) {
    throw unknownName("activation", activation, Object.keys(activations));
  }
  const activate = activations[activation];
  const prepared = (name: string, split: NodeSplit) => {
    const labeled = labeledSamples(name, split, dtype);
    checkLabels(name, labeled, classes);
    return {
      ...labeled,
      batch: { ...labeled.batch, weight: castFloat(split.batch.weight, dtype) },
    };
  };
  const train = prepared("train", options.train);
  const [nodes = 0, features = 0] = train.batch.x.shape;
  const stray = edges.flat().find((node) => !(Number.isInteger(node) && node >= 0 && node < nodes));
  if (stray !== undefined) {
    throw new InputError(`invalid edges: node ${stray} of ${nodes} (give 0 to ${nodes - 1})`);
  }
  const widths = [features, ...hidden, classes];
  const known = train.batch.y.data.filter((_, node) => train.batch.weight.data[node] !== 0);

  return {
    name: "gcn",
    dtype,
    train,
    test: options.test && prepared("test", options.test),
    constants: normalizedEdges(edges, nodes, dtype),
    role: roleByName,
    outputs: classes,
    guessLoss: labelEntropy(tensor(Array.from(known), [known.length], "int32")),
    init(seed) {
      const init = initializer(seed, dtype);
      return { layers: widths.slice(1).map((width, i) => init.dense(widths[i] as number, width)) };
    },
    forward(params, batch, { constants }) {
      const { layers } = params as { layers: DenseLayer<np.Array>[] };
      const { x, y, weight } = batch as { x: np.Array; y: np.Array; weight: np.Array };
      const count = x.shape[0] as number;
      if (count !== nodes) {
        throw new InputError(
          `invalid batch: ${count} of ${nodes} nodes (give "full": a node's neighbors are needed, too)`,
        );
      }
      let values = x;
      layers.forEach((layer, i) => {
        const projected = np.matmul(values, np.transpose(layer.weight));
        values = add(sumOverNeighbors(projected, constants as Edges<np.Array>), layer.bias);
        if (i < layers.length - 1) values = activate(values);
      });
      return { losses: multiply(crossEntropy(values.ref, y), weight), outputs: values };
    },
    score(logits, batch) {
      const { y, weight } = batch as { y: np.Array; weight: np.Array };
      return multiply(isRight(logits, y), weight);
    },
  };
}

const names = ["kind", "train", "test", "edges", "classes", "hidden", "activation", "dtype"];
const widthsRemedy = "give widths of 1 or more, such as 128,64";

/** `gcn` as it is listed. */
export const gcnEntry = problemEntry({
  name: "gcn",
  kind: "network",
  title:
    "A graph convolutional network with cross-entropy loss of the nodes whose classes are known.",
  formula: "layers Â x Wᵀ + b, Â = D^(−½) (A + I) D^(−½)",
  options: z.object({
    hidden: shownAs(
      "widths",
      list(
        z.int({ error: widthsRemedy }).gte(1, { error: widthsRemedy }),
        [16],
        "widths of the layers between features and classes, or none",
        widthsRemedy,
      ),
    ),
    activation: choice(
      Object.keys(activations) as [ActivationName, ...ActivationName[]],
      "relu",
      "activation between the layers",
    ),
  }),
  data: "graph",
  describe: ({ hidden }) => `hidden ${hidden.join(",") || "none"}`,
  memory({ hidden }, { inputs, classes }) {
    const widths = [inputs, ...hidden, classes];
    const parameters = widths
      .slice(1)
      .reduce((sum, width, i) => sum + width * ((widths[i] ?? 0) + 1), 0);
    // Messages along edges, of which a node of these graphs has about ten.
    return { parameters, units: 10 * hidden.reduce((sum, width) => sum + width, classes) };
  },
  create: (options, samples) => gcn({ ...samples, ...options }),
});
