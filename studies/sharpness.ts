/**
 * Sharpness of the ends that a study kept: the largest eigenvalue of H, and how much the loss rises
 * along the gradient at one common radius.
 *
 *     node --conditions=source studies/sharpness.ts FILE.jsonl.gz STUDY …
 *
 * measures, in float64 on the training images, what FILE lacks; STUDY is the folder of a swept study
 * of the network in stalled.ts that keeps final parameters.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import {
  compileDerivatives,
  extremeEigenvalues,
  flatten,
  norm,
  samPoint,
} from "lucid-sam/diagnostics";
import { readStudyFolder } from "lucid-sam/store";
import { readSafetensors } from "../src/engine/safetensors.ts";
import { matchModel } from "../src/problems/import/match-model.ts";
import { commonRadius, readSharpness, type Sharpness } from "./sharpness-rows.ts";
import { engine, problem } from "./stalled.ts";

const [file, ...folders] = process.argv.slice(2);
if (file === undefined || folders.length === 0) {
  throw new Error("missing file or study (give one for the results, and folders of studies)");
}
const rows: Sharpness[] = existsSync(file) ? readSharpness(file) : [];
const known = new Set(rows.map(({ cell }) => cell));
const f = await compileDerivatives(problem, engine);
for (const folder of folders) {
  for await (const { cell, at } of (await readStudyFolder(folder)).rows()) {
    if (known.has(cell)) continue;
    const { tensors } = readSafetensors(
      readFileSync(join(folder, "points", `${cell}.safetensors`)),
    );
    const x = flatten(matchModel(problem, tensors, cell).params);
    const { highest } = await extremeEigenvalues({
      operator: (v) => f.hessianTimes(x, v),
      dimension: f.dimension,
      ends: "highest",
      tolerance: 1e-3,
      basisSize: 40,
    });
    const { loss, shiftedLoss } = await samPoint(f, x, commonRadius);
    rows.push({
      cell,
      loss,
      largestEigenvalue: highest.value,
      residual: highest.residual,
      rise: shiftedLoss - loss,
      norm: norm(x),
    });
    console.log(JSON.stringify({ ...at, ...rows.at(-1) }));
    writeFileSync(
      file,
      gzipSync(rows.map((row) => `${JSON.stringify(row)}\n`).join(""), { level: 9 }),
    );
  }
}
await f.dispose();
