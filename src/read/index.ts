/**
 * Readers of what is stored: runs, studies, logs, points, landscapes, certificates, exported problems,
 * from files in memory, on a page or behind a server, by the parsers of the command line.
 */
export { filesInMemory, folderOf } from "../platform/files.ts";
export type { Files, Folder } from "../platform/files.ts";
export { recognize } from "./recognize.ts";
export type { Found } from "./recognize.ts";
export { sortOut } from "./sort-out.ts";
export type { Kind, SortedFiles, Thing } from "./sort-out.ts";
export { readRun } from "./run.ts";
export type { RunConfig, StoredRun } from "./run.ts";
export { growingRows, readStudy } from "./study.ts";
export type { StoredStudy, StudyConfig } from "./study.ts";
export { readPack } from "./pack.ts";
export { axisLabel } from "../diagnostics/landscape/axis.ts";
export type { AxisInfo } from "../diagnostics/landscape/axis.ts";
export { parseLandscape } from "./landscape.ts";
export type { LandscapeIdentity, StoredLandscape } from "./landscape.ts";
export { parseCertificate } from "./certificate.ts";
export { readTensors } from "./tensors.ts";
export { readExportedProblem } from "../run/exported-problem.ts";
export { matchModel } from "../problems/import/match-model.ts";
export { parseHistory, parseRows } from "../study/cell.ts";
export { growingLog, parseLog } from "../run/logs/log-format.ts";
export type { LogEntry, LogHeader, LogRow } from "../run/logs/rows.ts";
export { createLogScreen } from "../run/logs/log-screen.ts";
export type { LogScreen, LogScreenOptions } from "../run/logs/log-screen.ts";
