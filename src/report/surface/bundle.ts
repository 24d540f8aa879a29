/** The viewer of surfaces as one text: built once into the package, on demand in a clone. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** Where the build puts it. */
export const builtName = "surface-viewer.js";

/** The script, for a page that needs nothing but itself. */
export async function surfaceViewer(): Promise<string> {
  const built = new URL(`./${builtName}`, import.meta.url);
  return existsSync(built) ? readFile(built, "utf8") : buildSurfaceViewer();
}

/** Bundle the viewer with what it needs of three.js. Vite is there in a clone only. */
export async function buildSurfaceViewer(): Promise<string> {
  const { build } = await import("vite");
  const result = await build({
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      lib: {
        entry: fileURLToPath(new URL("./viewer.ts", import.meta.url)),
        formats: ["iife"],
        name: "surface",
      },
    },
  });
  const [first] = Array.isArray(result) ? result : [result];
  if (first === undefined || !("output" in first)) throw new Error("invalid build of the viewer");
  const [{ code }] = first.output;
  return code;
}
