import { join } from "node:path";
import { defineConfig } from "tsdown";
import { packRuntime } from "./scripts/pack-runtime.ts";

/** One built file per source file: the command line and the workers find each other by path. */
export default defineConfig({
  entry: ["src/**/*.ts", "!src/**/*.test.ts"],
  format: "esm",
  platform: "node",
  unbundle: true,
  fixedExtension: false,
  dts: true,
  plugins: [
    {
      // Which build of ONNX Runtime it is, package.json says on each platform; the built package
      // carries its own.
      name: "packed-runtime",
      resolveId: (id) => (id === "#ort" ? { id: "#packed-ort", external: true } : null),
    },
  ],
  hooks: {
    "build:done": ({ options }) => packRuntime(join(options.outDir, "onnxruntime")),
  },
  copy: [
    // Figures are drawn in a font of their own.
    { from: "src/figures/fonts/*", to: "dist/figures/fonts" },
    // `lucid bench` runs these.
    { from: "src/bench/peers/*.py", to: "dist/bench/peers" },
  ],
});
