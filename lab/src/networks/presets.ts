/** Presets: runs to begin with. Most of them fail on purpose, and say how. */
import { networkPreset } from "./fields.ts";

export interface Preset {
  readonly title: string;
  readonly sentence: string;
  readonly address: string;
}

const query = (pairs: { readonly [field: string]: string }) =>
  `#networks?${Object.entries({ ...pairs, play: "true" })
    .map(([field, value]) => `${field}=${value}`)
    .join("&")}`;

/** Section 9's network after descent over a tenth of the run: the switch does not save it. */
const whereTheSwitchFails = query({ ...networkPreset, switch: "0.1" });

export const presets: readonly Preset[] = [
  {
    title: "A minimum that is not there",
    sentence:
      "Seven weights: SAM converges where the curve misses its points, because the curve at x⁺ meets them.",
    address: query(networkPreset),
  },
  {
    title: "Where the switch fails",
    sentence:
      "The same network with a tenth of the run of plain descent first: SAM then leaves what descent found, for a saddle that only SAM sees.",
    address: whereTheSwitchFails,
  },
  {
    title: "A way out",
    sentence:
      "The same network; at step 6000 plain descent takes over, and the curve meets its points.",
    address: query({ ...networkPreset, turns: "6000:gd" }),
  },
  {
    title: "A saddle that attracts",
    sentence: "From the start of seed 6, SAM ends where H⁺ has a direction downward.",
    address: query({ problem: "regression", rho: "2", lr: "0.01", steps: "20000", seed: "6" }),
  },
  {
    title: "A graph network stuck",
    sentence:
      "Who joins whom in the karate club: at ρ = 1 SAM rests at a loss of ln 2, on a slope that it does not see.",
    address: query({ problem: "gcn", data: "karate", rho: "1", lr: "0.5", steps: "1000" }),
  },
  {
    title: "Digits, ρ far too large",
    sentence: "ρ = 3 on 49–16–10 weights: the warning comes early, and nothing is learned.",
    address: query({
      problem: "mlp",
      hidden: "16",
      n: "100",
      pool: "2",
      rho: "3",
      lr: "0.02",
      steps: "4000",
    }),
  },
  {
    title: "A step too long",
    sentence: "η = 5 on the regression: the numbers leave all bounds.",
    address: query({ problem: "regression", method: "gd", lr: "5", steps: "500" }),
  },
  {
    title: "Digits as they should be",
    sentence: "ρ = 0.05: SAM learns 500 drawn digits. Nothing fails here.",
    address: query({ problem: "mlp", rho: "0.05", lr: "0.1", steps: "600" }),
  },
];
