/** Where studies are kept, and the worker threads that work them off. Needs Node. */
export { openSweeper } from "../sweep/sweep.ts";
export type { Sweeper, SweepOptions } from "../sweep/sweep.ts";
export { openStudyFolder, readStudyFolder } from "./study-folder.ts";
