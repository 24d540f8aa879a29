import { join } from "node:path";
import { defineConfig } from "tsdown";
import { existsSync } from "node:fs";
import { cp, writeFile } from "node:fs/promises";
import { packRuntime } from "./scripts/pack-runtime.ts";
import { buildSurfaceViewer, builtName } from "./src/report/surface/bundle.ts";

/** One built file per source file: the command line and the workers find each other by path. */
export default defineConfig({
  // The viewer of surfaces is a script for browsers, bundled below.
  entry: ["src/**/*.ts", "!src/**/*.test.ts", "!src/report/surface/viewer.ts"],
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
    async "build:done"({ options: { outDir } }) {
      await packRuntime(join(outDir, "onnxruntime"));
      // Pages with a surface carry their viewer, three.js included.
      await writeFile(join(outDir, "report/surface", builtName), await buildSurfaceViewer());
      // `lucid lab` serves these; without them it says what is missing.
      const lab = join("lab", "dist");
      if (existsSync(lab)) await cp(lab, join(outDir, "lab"), { recursive: true });
      else console.warn(`missing ${lab}: not in this package (npm run build -w lab)`);
    },
  },
  copy: [
    // Figures are drawn in a font of their own.
    { from: "src/figures/fonts/*", to: "dist/figures/fonts" },
    // `lucid bench` runs these.
    { from: "src/bench/peers/*.py", to: "dist/bench/peers" },
  ],
});
