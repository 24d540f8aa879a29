/**
 * The picture of the loss along the ascent from a stalled network, for docs/what-we-found.md. Needs
 * MNIST. Run: `node --conditions=source scripts/slope-picture.ts`
 */
import { resolve } from "node:path";
import { compileDerivatives, flatten } from "../src/diagnostics/point/derivatives.ts";
import { ascentProfile } from "../src/diagnostics/point/profile.ts";
import { renderSvg } from "../src/figures/render.ts";
import { slopeFigure } from "../src/figures/slope.ts";
import { makeFolder, writeText } from "../src/platform/node/files.ts";
import { endOfRun, engine, problem } from "../studies/stalled.ts";

const rho = 4;
const folder = resolve(import.meta.dirname, "../docs/images");
const f = await compileDerivatives(problem, engine);
const profile = await ascentProfile(f, flatten(await endOfRun(rho, 0)), rho);
await f.dispose();
if (profile === undefined) throw new Error("the gradient vanishes");
await makeFolder(folder);
// The verdict is that of ρ = 4, seed 0, in studies/results/certificates.jsonl.gz.
await writeText(
  resolve(folder, "stalled-slope.svg"),
  renderSvg(slopeFigure(profile, "near-hallucinated")),
);
