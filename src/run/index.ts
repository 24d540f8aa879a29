/** Runs: from a spec to a result with a verdict. */
export { canonicalJson, parseSpec, specHash } from "./spec.ts";
export type { OptimizerSpec, RunSpec } from "./spec.ts";
export { createRunner } from "./run.ts";
export type { Outcome, Provenance, Runner, RunnerOptions, RunResult } from "./run.ts";
export type { Final } from "./history.ts";
export type { MetricRow } from "./history.ts";
export { buildMethod, buildProblem, programKey } from "./build.ts";
export { certifyEnd } from "./certify-end.ts";
export { specFields } from "./fields.ts";
export type { FieldUse } from "./fields.ts";
export { loadState, prepareTraining, saveState } from "./training.ts";
export type {
  RunTrainingOptions,
  ScoredModel,
  Training,
  TrainingOptions,
  TrainingRun,
} from "./training.ts";
export type { Checkpoint } from "./checkpoint.ts";
export { bestOf, type Scores } from "./scores.ts";
