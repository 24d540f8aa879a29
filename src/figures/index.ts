/** Figures: pure functions from stored rows to pictures. They need a DOM, in Node that of render.ts. */
export { figures, figuresFor } from "./registry.ts";
export type { FigureData, FigureEntry } from "./registry.ts";
export { verdictMarks } from "./marks.ts";
export type { Mark } from "./marks.ts";
export type { Figure } from "./figure.ts";
export { figureRun } from "./runs.ts";
export type { FigureRun } from "./runs.ts";
export { gradRatioFigure, lossFigure } from "./trajectories.ts";
export { finalLossFigure } from "./final.ts";
export { slopeFigure } from "./slope.ts";
export { figure5, figure8 } from "./paper.ts";
export { contactSheet } from "./images.ts";
export type { ContactSheetOptions } from "./images.ts";
export { planeFigure } from "./plane.ts";
export type { PlaneFigureOptions, PlanePath } from "./plane.ts";
export type { View } from "./field.ts";
