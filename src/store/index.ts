/** Stores of studies, and the worker threads that work them off. Needs Node. */
export { openSweeper } from "../sweep/sweep.ts";
export type { Sweeper, SweepOptions } from "../sweep/sweep.ts";
export { openStudyFolder, readStudyFolder, writeStudyFolder } from "./study-folder.ts";
export { packStudy } from "./study-pack.ts";
export type { OpenStudy, StoredStudy } from "./store.ts";
export type { StudyConfig } from "../read/study.ts";
