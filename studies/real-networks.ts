/**
 * SAM beside plain descent on other networks than the tanh MLP: a graph network on two graphs, a
 * transformer on modular addition, a ReLU network on images. What was seen: docs/real-networks.md.
 *
 *     npx lucid sweep studies/real-networks.ts
 */
import type { StudyFile } from "lucid-sam/study";

const graph = { problem: "gcn", lr: 0.5, steps: 1000 };

export default {
  name: "real-networks",
  description: "Graph networks, a transformer and a ReLU network: SAM at several ρ and descent",
  fixed: { batch: "full" },
  axes: {
    network: {
      "gcn, karate club": { ...graph, data: "karate" },
      "gcn, block model": { ...graph, data: "block-model" },
      "transformer, modular addition": {
        problem: "gpt",
        data: "modular",
        p: 13,
        fraction: 0.6,
        dim: 32,
        blocks: 1,
        optimizer: "adamw",
        lr: 0.003,
        weightDecay: 0.5,
        steps: 1000,
      },
      "ReLU, 500 images of MNIST": {
        problem: "mlp",
        data: "mnist",
        n: 500,
        pool: 2,
        activation: "relu",
        lr: 0.01,
        steps: 5000,
      },
    },
    training: {
      descent: { method: "gd" },
      "ρ = 0.05": { method: "sam", rho: 0.05 },
      "ρ = 0.2": { method: "sam", rho: 0.2 },
      "ρ = 1": { method: "sam", rho: 1 },
      "ρ = 4": { method: "sam", rho: 4 },
    },
  },
  seeds: 3,
} satisfies StudyFile;
