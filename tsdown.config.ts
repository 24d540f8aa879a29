import { defineConfig } from "tsdown";

/** One built file per source file: the command line and the workers find each other by path. */
export default defineConfig({
  entry: ["src/**/*.ts", "!src/**/*.test.ts"],
  format: "esm",
  platform: "node",
  unbundle: true,
  fixedExtension: false,
  dts: true,
  // Figures are drawn in a font of their own.
  copy: [{ from: "src/figures/fonts/*", to: "dist/figures/fonts" }],
});
