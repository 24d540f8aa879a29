/** Surfaces: landscapes in three dimensions, for pages. Needs a browser with WebGL, and three.js. */
export { showSurface } from "./surface.ts";
export type { ShownSurface } from "./surface.ts";
export type { SurfaceData } from "./data.ts";
