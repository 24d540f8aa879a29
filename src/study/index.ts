/** Studies: questions asked of thousands of runs, and what is known of their answers. */
export { defineStudy, describeCoordinates, expandStudy, parseStudy } from "./study.ts";
export type { Cell, Study, StudyFile, StudyPreset } from "./study.ts";
export { verdictName } from "./cell.ts";
export type { Row } from "./cell.ts";
