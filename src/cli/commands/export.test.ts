import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, expect, test } from "vitest";
import { lucid } from "../../../test/lucid.ts";
import { readSafetensors } from "../../engine/safetensors.ts";

const folder = mkdtempSync(join(tmpdir(), "lucid-export-"));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  [
    "a plane with a schedule",
    ["--problem", "cosine", "--rho", "4", "--schedule", "cosine", "--steps", "9"],
  ],
  [
    "a network in batches",
    ["--n", "20", "--hidden", "4", "--batch", "8", "--momentum", "0.9", "--steps", "5"],
  ],
])("%s: ONNX Runtime runs the files to the numbers of lucid train", async (_, flags) => {
  const [model, feeds] = [join(folder, "step.onnx"), join(folder, "feeds.safetensors")];
  expect((await lucid("export", ...flags, "--out", model, "--feeds", feeds)).code).toBe(0);
  const trained = await lucid("train", ...flags, "--engine", "native", "--trace", "--json");
  const { trace } = JSON.parse(trained.out) as { trace: { loss: number }[] };

  const session = await InferenceSession.create(model);
  const { tensors } = readSafetensors(readFileSync(feeds), feeds);
  const given = Object.fromEntries(
    session.inputNames.map((name) => {
      const leaf = tensors[name];
      if (leaf === undefined) throw new Error(`missing ${name}`);
      const value =
        name === "steps"
          ? new OrtTensor("int64", BigInt64Array.from([...leaf.data].map(BigInt)), [])
          : new OrtTensor(leaf.dtype, leaf.data as Float32Array, leaf.shape);
      return [name, value];
    }),
  );
  const results = await session.run(given);
  await session.release();
  const losses = Array.from((results["records/loss"] as OrtTensor).data as Float32Array);
  expect(losses.length).toBeGreaterThan(4);
  losses.forEach((loss, t) => expect(loss).toBeCloseTo(trace[t]?.loss as number, 6));
});

test("refuses a name that is not a model's", async () => {
  const { code, err } = await lucid("export", "--problem", "cosine", "--out", "step.txt");
  expect(code).toBe(2);
  expect(err).toBe("invalid out: step.txt (give a file that ends in .onnx)\n");
});
