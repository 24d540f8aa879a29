/** Training as people do it, from the command line: epochs, scores, the best model, the data's hash. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lucid } from "../../../test/lucid.ts";
import type { RunResult } from "../../run/run.ts";
import type { RunChunk } from "../../run/training.ts";
import { progressLine } from "../shared/report.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-epochs-"));
});
afterAll(() => rm(folder, { recursive: true }));

const recipe =
  "train --n 40 --batch 10 --hidden 6 --lr 0.3 --momentum 0.9 --rho 0.1 --flip --crop 1";
const noise = ["--cutout", "4", "--label-noise", "0.25", "--json"];
const train = (...flags: string[]) => lucid(...recipe.split(" "), ...noise, ...flags);

describe("a run of epochs", () => {
  it("is scored after each, and keeps the best model, its settings and the data's hash", async () => {
    const out = join(folder, "run");
    const { out: text, err } = await train("--epochs", "6", "--out", out);
    const result = JSON.parse(text) as RunResult;
    expect(result.scores?.map(({ step }) => step)).toEqual([4, 8, 12, 16, 20, 24]);
    expect(err.match(/^step [\d,]+: train loss .*; test loss .*/gm)).toHaveLength(6);
    const tests = result.scores?.map(({ test }) => test?.score ?? NaN) ?? [];
    const { step: best = NaN } = result.best ?? {};
    expect(best).toBe(4 * (1 + tests.indexOf(Math.max(...tests))));
    expect(result.final.testAccuracy).toBe(tests.at(-1));
    expect((await readdir(out)).sort()).toEqual([
      "best.safetensors",
      "config.json",
      "final.safetensors",
      "metrics.jsonl",
      "result.json",
    ]);
    const config = JSON.parse(await readFile(join(out, "config.json"), "utf8")) as object;
    expect(config).toMatchObject({
      evaluateEvery: 4,
      dataHash: result.provenance.dataHash,
      spec: { labelNoise: 0.25, crop: 1, flip: true, cutout: 4, steps: 24 },
    });
    // At a rate that does not change, the best model is where a shorter run ends.
    const shorter = join(folder, "shorter");
    await train("--epochs", String(best / 4), "--out", shorter);
    const [kept, ended] = [join(out, "best.safetensors"), join(shorter, "final.safetensors")];
    expect(await readFile(kept)).toEqual(await readFile(ended));
  });

  it("does not go on with other samples than it began with", async () => {
    const out = join(folder, "other");
    await train("--epochs", "2", "--out", out);
    await rm(join(out, "result.json"));
    const text = await readFile(join(out, "config.json"), "utf8");
    const { check: _, ...config } = JSON.parse(text) as { check: string };
    await writeFile(
      join(out, "config.json"),
      JSON.stringify({ ...config, dataHash: "0".repeat(64) }),
    );
    const { code, err } = await lucid("train", "--resume", out);
    expect(err).toMatch(
      /^invalid data: their SHA-256 is [0-9a-f]{64}, and was 0{64} when the run began/,
    );
    expect(code).toBe(2);
  });

  it("shows images per second where it learns in mini-batches, and asks for one length only", async () => {
    const row = { step: 9, loss: 2, shiftedLoss: 2, gradNorm: 1, shiftedGradNorm: 1, cosine: 1 };
    const checkpoint = { state: { step: 10 } } as RunChunk["checkpoint"];
    const timing = { steps: 50, taken: 10, seconds: 2 };
    const line = (images?: number) =>
      progressLine({ checkpoint, rows: [], latest: row }, { ...timing, images });
    expect(line(64)).toContain("5 steps/s  320 images/s  0:08 left");
    expect(line()).not.toContain("images");
    const both = await train("--epochs", "2", "--steps", "3");
    expect(both.err).toMatch(/^invalid epochs: 2 beside 3 steps/);
  });
});
