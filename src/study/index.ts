/** From one run to thousands: specs, runs with verdicts, studies. */
export { canonicalJson, parseSpec, specHash } from "./spec.ts";
export type { NetworkSpec, PlaneSpec, RunSpec } from "./spec.ts";
export { createRunner } from "./run.ts";
export type { Final, Outcome, Provenance, Runner, RunnerOptions, RunResult } from "./run.ts";
export { buildMethod, buildProblem } from "./build.ts";
export type { DatasetLoader } from "./build.ts";

export { defineStudy, expandStudy, parseStudy } from "./study.ts";
export type { Cell, Study, StudyFile, StudyPreset } from "./study.ts";
export type { Row } from "./cell.ts";
export { openSweeper } from "./sweep.ts";
export type { Sweeper, SweepOptions } from "./sweep.ts";
export { openStudyFolder, readStudyFolder } from "./study-folder.ts";
