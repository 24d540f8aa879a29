/** Recipes: how each figure of the paper is made, what it costs, and what is whose. */
import type { EngineChoice } from "../engine/index.ts";
import type { Figure } from "../figures/figure.ts";

/** How much is spent on a figure. */
export const presets = ["quick", "standard", "paper"] as const;
export type Preset = (typeof presets)[number];

/** What recipes are given. */
export interface Making {
  readonly preset: Preset;
  /** A folder of the recipe's own, where it keeps what a second call goes on from. */
  readonly folder: string;
  readonly engine: EngineChoice;
  readonly workers: number;
  readonly signal: AbortSignal;
  /** Told, in words, where it stands. */
  readonly onProgress: (what: string) => void;
}

/** A picture of a figure; some figures have several. */
export interface Made {
  /** File name without its ending: `figure-1`, `figure-1-drift`. */
  readonly name: string;
  readonly figure: Figure;
  /** The numbers in it, one object per mark. */
  readonly numbers: readonly object[];
  /** What made it: enough to make it again. */
  readonly spec: object;
  readonly caption: string;
}

/** A figure of Park et al. 2025, or several that show the same runs. */
export interface Recipe {
  /** Numbers in the paper. */
  readonly figures: readonly number[];
  readonly title: string;
  /** What the paper shows, and with what. */
  readonly paper: string;
  /** What is different here. */
  readonly ours: string;
  /** What to look at. */
  readonly look: string;
  /** Roughly, in seconds on two cores. */
  readonly seconds: { readonly [Name in Preset]: number };
  make(making: Making): Promise<readonly Made[]>;
}
