/** The picture of the README. Run: `node scripts/readme-picture.ts` */
import { resolve } from "node:path";
import { planeStory } from "../src/cli/commands/demo-plane.ts";
import { renderPng, renderSvg } from "../src/figures/render.ts";
import { makeFolder, writeBytes, writeText } from "../src/platform/node/files.ts";
import { describeMachine } from "../src/platform/node/machine.ts";

const folder = resolve(import.meta.dirname, "../docs/images");
const { figure, certificates } = await planeStory(await describeMachine(), "native");
for (const { verdict } of certificates) {
  if (verdict.name !== "hallucinated-minimizer") {
    throw new Error(`the picture would be wrong: SAM ends at a ${verdict.name}`);
  }
}
await makeFolder(folder);
await writeText(resolve(folder, "ridge.svg"), renderSvg(figure));
await writeBytes(resolve(folder, "ridge.png"), renderPng(figure));
