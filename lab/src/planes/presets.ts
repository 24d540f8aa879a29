/** Presets of the planes view: scenes worth seeing, those that fail on purpose among them. */
import type { PlaneFields } from "./fields.ts";

export interface Preset {
  readonly name: string;
  /** What happens there, in a sentence. */
  readonly words: string;
  /** Whether the method fails there, on purpose. */
  readonly fails: boolean;
  readonly spec: { readonly [field: string]: unknown };
  readonly fields?: Partial<PlaneFields>;
}

export const presets: readonly Preset[] = [
  {
    name: "Stopped on a slope",
    words: "Two valleys, and SAM stands between them, on a curve of hallucinated minimizers.",
    fails: true,
    spec: { problem: "ridge", rho: 1.6, lr: 0.02, steps: 300 },
  },
  {
    name: "Saved by the switch",
    words: "SAM alone stops above the narrow well; 100 steps of descent first, and it does not.",
    fails: false,
    spec: { problem: "wide-narrow", rho: 2.5, steps: 400 },
    fields: { turn: 100 },
  },
  {
    name: "Not saved by the switch",
    words:
      "200 steps of descent reach the valley. Turned on there, SAM climbs out of it and stops.",
    fails: true,
    spec: { problem: "ridge", rho: 1.6, lr: 0.02, steps: 600 },
    fields: { turn: 200 },
  },
  {
    name: "The next basin's minimizer",
    words:
      "On equal basins SAM with ρ = 4 looks into the next one and stops on the wall of its own.",
    fails: true,
    spec: { problem: "cosine", rho: 4, steps: 200 },
  },
  {
    name: "Chatter on the ridge",
    words:
      "With ρ = 0.5 SAM looks over the crest to one side and the other, and creeps along it instead of leaving.",
    fails: true,
    spec: { problem: "ridge", rho: 0.5, lr: 0.02, steps: 300, start: "0.05,0.6" },
  },
  {
    name: "Out of bounds",
    words: "A start outside the valleys: ρ uphill is so steep that a step leaves the map.",
    fails: true,
    spec: { problem: "ridge", rho: 1.6, lr: 0.1, steps: 100, start: "-1.4,1.2" },
  },
  {
    name: "A saddle holds it",
    words: "Descent leaves a saddle; SAM, which looks back over it, goes to and fro there.",
    fails: true,
    spec: { problem: "saddle", rho: 1, lr: 0.05, steps: 200, start: "1,0.1" },
  },
  {
    name: "It works",
    words: "Small ρ on Himmelblau’s function: SAM ends beside a minimizer, as it should.",
    fails: false,
    spec: { problem: "himmelblau", rho: 0.05, lr: 0.01, steps: 300 },
  },
];
