import { defineConfig } from "tsdown";

/** One built file per source file: the command line and the workers find each other by path. */
export default defineConfig({
  entry: ["src/**/*.ts", "!src/**/*.test.ts"],
  format: "esm",
  platform: "node",
  unbundle: true,
  fixedExtension: false,
  dts: true,
  // Which build of ONNX Runtime it is, package.json says on each platform.
  deps: { neverBundle: ["#ort"] },
  copy: [
    // Figures are drawn in a font of their own.
    { from: "src/figures/fonts/*", to: "dist/figures/fonts" },
    // `lucid bench` runs these.
    { from: "src/bench/peers/*.py", to: "dist/bench/peers" },
  ],
});
