/** Pictures and pages in Node: figures as SVG and PNG, runs and certificates as pages. */
export { renderPng, renderSvg } from "../figures/render.ts";
export { runPage } from "./run-page.ts";
export type { RunPageOptions } from "./run-page.ts";
export { certificatePage } from "./certificate-page.ts";
export type { CertifiedPoint, RefinedPoint } from "./certificate-page.ts";
