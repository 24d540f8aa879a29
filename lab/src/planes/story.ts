/** The story of the lab: 60 seconds from a loss to a network, station by station. */

/** What a station shows, and in which words. */
export interface Station {
  readonly seconds: number;
  readonly caption: string;
  readonly problem: "ridge" | "wide-narrow";
  readonly start: readonly [number, number];
  readonly lr: number;
  readonly steps: number;
  /** ρ while the station lasts: from, to. */
  readonly rho: readonly [number, number];
  /** The part of the run's steps that is walked while it lasts: from, to. */
  readonly walked: readonly [number, number];
  readonly descent?: boolean;
  readonly turn?: number;
}

const ridge = {
  problem: "ridge",
  start: [-0.25, 0.75],
  lr: 0.02,
  steps: 300,
  rho: [1.6, 1.6],
} as const;

const wells = {
  problem: "wide-narrow",
  start: [3.6, 0.5],
  lr: 0.1,
  steps: 400,
  rho: [2.5, 2.5],
} as const;

/** The network of docs/hallucinated-minimizer.md from the start there, with descent for the first tenth of the run. */
export const network =
  "#networks?problem=regression&start=-0.49026082,-0.10984739,-0.06453957,0.0952704,0.1912387,-0.4470479,-0.51799646&rho=2&switch=0.1&steps=45000&play=true";

/** Stations, which take 60 seconds together. */
export const stations: readonly Station[] = [
  {
    ...ridge,
    seconds: 6,
    walked: [0, 0],
    caption:
      "The left map is a loss: two valleys, and a ridge between them. SAM starts at the ring.",
  },
  {
    ...ridge,
    seconds: 8,
    walked: [0, 0.2],
    caption:
      "It walks downhill. Before every step it looks ρ = 1.6 uphill, at x⁺, and takes the slope from there.",
  },
  {
    ...ridge,
    seconds: 8,
    walked: [0.2, 1],
    caption: "It stops on a slope of 1.4, far from either valley. Nothing is solved here.",
  },
  {
    ...ridge,
    seconds: 10,
    walked: [1, 1],
    caption:
      "Why? From here it looks across the ridge, into the other valley, where the slope is 0. On the right is what it sees: it stands in a valley that is not there.",
  },
  {
    ...ridge,
    seconds: 10,
    rho: [1.6, 0],
    walked: [1, 1],
    caption:
      "Let ρ go to 0. SAM sees the slope under its feet again, and leaves for the real valley.",
  },
  {
    ...wells,
    seconds: 10,
    walked: [0, 1],
    turn: 100,
    caption:
      "Another plane. SAM alone stops above the narrow well. With 100 steps of plain descent first, then SAM, it ends in the wide basin.",
  },
  {
    ...wells,
    seconds: 8,
    walked: [1, 1],
    turn: 100,
    caption:
      "No cure, though. In a network of seven parameters descent reaches a loss of 0.027. Then SAM is switched on, climbs to 0.556, and stops on a slope there.",
  },
];

export const duration = stations.reduce((sum, { seconds }) => sum + seconds, 0);

/** A moment of the story. */
export interface Moment {
  readonly index: number;
  readonly station: Station;
  readonly rho: number;
  /** The step shown. */
  readonly step: number;
}

const between = ([from, to]: readonly [number, number], part: number) => from + part * (to - from);

/** A station at a part of its time, 0 to 1. */
export function momentOf(index: number, part: number): Moment {
  const station = stations[index] as Station;
  // Runs move most at their beginning.
  const walked = between(station.walked, station.walked[0] === 0 ? part ** 2 : part);
  return {
    index,
    station,
    rho: Math.round(100 * between(station.rho, part)) / 100,
    step: Math.round(walked * station.steps),
  };
}

/** The story after so many seconds; its last moment from its end on. */
export function momentAt(seconds: number): Moment {
  let before = 0;
  for (const [index, station] of stations.entries()) {
    if (seconds < before + station.seconds) {
      return momentOf(index, Math.max(0, seconds - before) / station.seconds);
    }
    before += station.seconds;
  }
  return momentOf(stations.length - 1, 1);
}
