/**
 * First sight: how the screen did on each family when its rules had not seen it. These are records: the
 * rules were changed afterwards. Of trainings on mini-batches that are in the bank twice, the probes
 * count: the others are the same runs.
 */
import { markdown } from "../tables/table.ts";
import { proportion } from "./report.ts";

interface FirstSight {
  readonly family: string;
  /** Stalls, and how many were warned of in time. */
  readonly stalls: readonly [caught: number, of: number];
  /** Trained runs, and how many were warned of. */
  readonly alarms: readonly [raised: number, of: number];
  /** What was changed in the rules afterwards. */
  readonly changed?: string | undefined;
}

const waiting = "warnings wait until a fall is excluded";
const quickening = "warnings wait while a fall gathers speed";

/** In the order in which they were seen. */
export const records: readonly FirstSight[] = [
  { family: "addition", stalls: [6, 6], alarms: [0, 12] },
  {
    family: "autoencoder",
    stalls: [3, 6],
    alarms: [0, 6],
    changed: '"little learned" looked at the start\'s loss',
  },
  {
    family: "chars",
    stalls: [0, 6],
    alarms: [0, 9],
    changed: '"little learned" no longer asks for a flat loss',
  },
  { family: "edge", stalls: [1, 1], alarms: [0, 7] },
  { family: "residual", stalls: [9, 9], alarms: [0, 9] },
  { family: "spirals", stalls: [12, 12], alarms: [1, 9] },
  {
    family: "spirals-edge",
    stalls: [31, 31],
    alarms: [5, 5],
    changed: "‖g⁺‖ < ‖g‖ asked of a slow fall; no alarm less",
  },
  { family: "noisy", stalls: [7, 7], alarms: [0, 9] },
  { family: "sines", stalls: [12, 12], alarms: [0, 6] },
  {
    family: "our mnist",
    stalls: [5, 5],
    alarms: [0, 10],
    changed: waiting,
  },
  { family: "our spirals", stalls: [12, 12], alarms: [0, 9] },
  {
    family: "gcn, karate club",
    stalls: [5, 6],
    alarms: [0, 6],
    changed: '"little learned" no longer asks a loss that never fell to slow down',
  },
  { family: "gcn, block model", stalls: [6, 6], alarms: [0, 6] },
  { family: "transformer, modular addition", stalls: [3, 3], alarms: [3, 9] },
  { family: "ReLU, 500 images of MNIST", stalls: [3, 3], alarms: [0, 9] },
  { family: "our communities", stalls: [5, 5], alarms: [1, 11] },
  { family: "our digits", stalls: [2, 3], alarms: [0, 9] },
  { family: "our modular", stalls: [0, 0], alarms: [0, 5] },
  { family: "our spirals-edge", stalls: [2, 2], alarms: [0, 14] },
  { family: "our convolutions", stalls: [2, 2], alarms: [1, 6], changed: quickening },
  { family: "our gelu", stalls: [0, 0], alarms: [0, 20] },
  { family: "our runge", stalls: [0, 0], alarms: [0, 0] },
  { family: "our noisy digits", stalls: [0, 0], alarms: [0, 14] },
  { family: "our patches", stalls: [2, 2], alarms: [0, 8] },
  { family: "our blocks", stalls: [0, 0], alarms: [1, 8] },
];

const sum = (name: string, some: readonly FirstSight[]): FirstSight => {
  const total = (of: (one: FirstSight) => readonly [number, number]) =>
    some.map(of).reduce(([k, n], [a, b]) => [k + a, n + b], [0, 0] as const);
  return { family: name, stalls: total((one) => one.stalls), alarms: total((one) => one.alarms) };
};

/** A line for each family, for those that were seen since warnings wait, in either way, and for all. */
export function firstSight(): string {
  const since = (what: string) =>
    records.slice(records.findIndex(({ changed }) => changed === what) + 1);
  const lines = [
    ...records,
    sum("**since warnings wait**", since(waiting)),
    sum("**since they wait while a fall gathers speed**", since(quickening)),
    sum("**all**", records),
  ];
  return markdown(
    ["family, in the order seen", "stalls warned of in time", "false alarms", "then"],
    lines.map(({ family, stalls, alarms, changed = "" }) => [
      family,
      proportion(...stalls),
      proportion(...alarms),
      changed,
    ]),
  );
}
