/** The networks of networks.py, and their samples, as problems here. */
import { tensor } from "../../src/engine/tensor.ts";
import { cnn } from "../../src/problems/networks/cnn.ts";
import { gcn } from "../../src/problems/networks/gcn.ts";
import { gpt } from "../../src/problems/networks/gpt.ts";
import { mlp } from "../../src/problems/networks/mlp.ts";
import { resnet } from "../../src/problems/networks/resnet.ts";
import { vit } from "../../src/problems/networks/vit.ts";
import type { FloatType, Problem, Split } from "../../src/problems/problem.ts";

/** The samples of networks.py. */
export function images(samples: number, channels: number, side: number, classes: number): Split {
  const x = Array.from(
    { length: samples * channels * side * side },
    (_, k) => 1.2 * Math.sin(1.7 * k + 0.3) + 0.3,
  );
  const y = Array.from({ length: samples }, (_, n) => (n * 7 + 1) % classes);
  return {
    size: samples,
    batch: {
      x: tensor(x, [samples, channels, side, side], "float64"),
      y: tensor(y, [samples], "int32"),
    },
  };
}

/** The sequences of networks.py. */
function tokens(samples: number, places: number, vocabulary: number, predicted: number) {
  const x = Array.from({ length: samples * places }, (_, i) => (i * i + 3 * i) % vocabulary);
  const y = Array.from({ length: samples * predicted }, (_, i) => (3 * i + 1) % vocabulary);
  const batch = {
    x: tensor(x, [samples, places], "int32"),
    y: tensor(y, [samples, predicted], "int32"),
  };
  return { train: { size: samples, batch }, vocabulary };
}

/** Two triangles with a bridge, of which the classes of three nodes are known. */
const bridge = {
  train: {
    size: 6,
    batch: {
      x: tensor(
        Array.from({ length: 12 }, (_, k) => Math.sin(1.9 * k + 0.3)),
        [6, 2],
        "float64",
      ),
      y: tensor([0, 1, 1, 0, 1, 0], [6], "int32"),
      weight: tensor([2, 2, 0, 0, 2, 0], [6], "float64"),
    },
  },
  edges: [
    [0, 1],
    [1, 2],
    [2, 0],
    [3, 4],
    [4, 5],
    [5, 3],
    [0, 3],
  ],
  classes: 2,
} as const;

/** Problems by the names of cases. */
export const networks: { readonly [name: string]: (dtype: FloatType) => Problem } = {
  "mlp leaky-relu": (dtype) =>
    mlp({ train: images(8, 1, 3, 3), hidden: [7], activation: "leaky-relu", dtype }),
  "mlp sin, gain 2": (dtype) =>
    mlp({ train: images(8, 1, 3, 3), hidden: [7], activation: "sin", initGain: 2, dtype }),
  "mlp gelu, layer norm": (dtype) =>
    mlp({ train: images(8, 1, 3, 3), hidden: [7, 5], activation: "gelu", norm: "layer", dtype }),
  "mlp silu, layer norm": (dtype) =>
    mlp({ train: images(8, 1, 3, 3), hidden: [7, 5], activation: "silu", norm: "layer", dtype }),
  cnn: (dtype) => cnn({ train: images(6, 3, 7, 4), channels: [6, 8, 10], dtype }),
  "cnn batch": (dtype) =>
    cnn({
      train: images(6, 1, 8, 4),
      channels: [6, 8],
      activation: "tanh",
      norm: "batch",
      dtype,
    }),
  "cnn group": (dtype) =>
    cnn({ train: images(6, 3, 8, 4), channels: [6, 8], norm: "group", dtype }),
  "resnet 8": (dtype) => resnet({ train: images(8, 3, 12, 5), width: 4, dtype }),
  "resnet 8 group": (dtype) =>
    resnet({ train: images(6, 1, 7, 5), width: 8, norm: "group", dtype }),
  "resnet 18": (dtype) => resnet({ train: images(8, 3, 16, 5), depth: 18, width: 4, dtype }),
  "resnet 20": (dtype) => resnet({ train: images(8, 3, 8, 5), depth: 20, width: 4, dtype }),
  vit: (dtype) => vit({ train: images(6, 3, 8, 5), patch: 4, dim: 12, heads: 3, dtype }),
  gpt: (dtype) => gpt({ ...tokens(5, 7, 11, 7), dim: 12, heads: 2, dtype }),
  "gpt of the last": (dtype) => gpt({ ...tokens(9, 3, 11, 1), dim: 16, blocks: 1, dtype }),
  gcn: (dtype) => gcn({ ...bridge, hidden: [5, 4], dtype }),
};
