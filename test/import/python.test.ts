/**
 * The round trip through PyTorch itself. Set LUCID_PYTHON to an interpreter that has torch; one with
 * onnx and onnxscript as well also makes the fixtures anew.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, expect, test } from "vitest";
import { lucid } from "../lucid.ts";
import { fixtures } from "./fixtures.ts";

const python = process.env["LUCID_PYTHON"];
const has = (packages: string) =>
  python !== undefined && spawnSync(python, ["-c", `import ${packages}`]).status === 0;

const folder = mkdtempSync(join(tmpdir(), "lucid-python-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Logits of the network in PyTorch, from a file read by the format's own rules. */
const program = `
import json, struct, sys, torch
from torch import nn
data = open(sys.argv[1], "rb").read()
end = 8 + struct.unpack("<Q", data[:8])[0]
state = {
    name: torch.frombuffer(bytearray(data[end + at["data_offsets"][0] : end + at["data_offsets"][1]]),
                           dtype=torch.float32).reshape(at["shape"])
    for name, at in json.loads(data[8:end]).items() if name != "__metadata__"
}
model = nn.Sequential(nn.Linear(196, 7), nn.Tanh(), nn.Linear(7, 6), nn.Tanh(), nn.Linear(6, 10))
print(model.load_state_dict(state), file=sys.stderr)
x = torch.tensor([[((k * 37 + i * 11) % 100) / 50 - 1 for k in range(196)] for i in range(4)])
print(json.dumps(model(x).flatten().tolist()))
`;

test.skipIf(!has("torch"))(
  "weights trained here give equal logits in PyTorch (needs LUCID_PYTHON)",
  async () => {
    const [run, weights, model] = ["run", "w.safetensors", "m.onnx"].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    await lucid(
      "train",
      "--n",
      "40",
      "--hidden",
      "7,6",
      "--steps",
      "50",
      "--lr",
      "0.1",
      "--out",
      run,
    );
    await lucid("export", "--weights", run, "--names", "torch", "--out", weights);
    await lucid("export", "--model", run, "--out", model);
    const printed = execFileSync(python ?? "", ["-c", program, weights], { encoding: "utf8" });
    const session = await InferenceSession.create(model);
    const x = Float32Array.from({ length: 784 }, (_, at) => {
      const [i, k] = [Math.floor(at / 196), at % 196];
      return ((k * 37 + i * 11) % 100) / 50 - 1;
    });
    const { logits } = await session.run({ x: new OrtTensor("float32", x, [4, 1, 14, 14]) });
    await session.release();
    const own = Array.from(logits?.data as Float32Array);
    const theirs = JSON.parse(printed) as number[];
    expect(own.length).toBe(40);
    const worst = Math.max(...own.map((value, i) => Math.abs(value - (theirs[i] ?? NaN))));
    expect(worst).toBeLessThan(1e-6);
  },
);

test.skipIf(!has("torch, onnx, onnxscript"))(
  "the committed fixtures are what the script makes (needs LUCID_PYTHON with onnx and onnxscript)",
  () => {
    const made = join(folder, "fixtures");
    execFileSync(python ?? "", [join(import.meta.dirname, "fixtures.py"), made], {
      stdio: "ignore",
    });
    const files = readdirSync(fixtures, { recursive: true, encoding: "utf8" }).filter((file) =>
      file.includes("."),
    );
    expect(files.length).toBeGreaterThan(20);
    for (const file of files) {
      expect(readFileSync(join(made, file)).equals(readFileSync(join(fixtures, file))), file).toBe(
        true,
      );
    }
  },
  // torch takes its time to export, more so on a busy machine.
  1_200_000,
);
