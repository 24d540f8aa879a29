/** Ensembles of cells: which runs of a study may take their steps side by side in one program. */
import { programKey } from "./build.ts";
import { canonicalJson, type RunSpec } from "./spec.ts";

/** Most runs in one program: more gain little, and sweeps seldom have more of one kind. */
export const mostMembers = 64;

/** Runs with equal keys may be members of one ensemble: they differ in knobs and seed, and end together. */
export const ensembleKey = (spec: RunSpec): string => canonicalJson([programKey(spec), spec.steps]);
