/** Models in Python: certified through a pipe as our own are here, and their faults told in one line. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  certificateSchema,
  type Certificate,
} from "../../src/diagnostics/certificate/certificate.ts";
import { certify, certifyPoint } from "../../src/diagnostics/certificate/certify.ts";
import { flatten } from "../../src/diagnostics/point/derivatives.ts";
import { readSafetensors } from "../../src/engine/safetensors.ts";
import { mlp, sam, sgd, tensor, type Tensor } from "../../src/index.ts";
import { remoteModel } from "../../src/run/python/remote.ts";
import { lucid } from "../lucid.ts";
import { python } from "./python.ts";

const models = fileURLToPath(new URL("models/", import.meta.url));
const interpreter = python ?? "none";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-remote-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

const relative = (a: number | null, b: number | null) =>
  Math.abs((a ?? NaN) - (b ?? NaN)) / Math.max(Math.abs(a ?? NaN), Math.abs(b ?? NaN));

describe.skipIf(python === undefined)("lucid certify --python", () => {
  test("gives the digits of the network in which SAM truly hallucinates, and refines", async () => {
    const file = join(models, "section-nine.py");
    const out = join(folder, "refined.safetensors");
    const page = join(folder, "page.html");
    const flags = [
      "--rho",
      "2",
      "--steps",
      "20",
      "--refine",
      "--out",
      out,
      "--html",
      page,
      "--json",
    ];
    const given = ["certify", "--python", file, "--interpreter", interpreter, ...flags];
    const said = await lucid(...given);
    expect(said.code).toBe(0);
    const found = certificateSchema.parse(JSON.parse(said.out));
    expect(found.verdict.name).toBe("hallucinated-minimizer");
    expect(found.attracting.answer).toBe("yes");
    expect(found.subject).toMatchObject({ description: "Sines", samples: 16, parameters: 7 });
    // Measured elsewhere, and checked in 50 digits.
    const known: [number | null, number][] = [
      [found.loss, 0.586253281466],
      [found.shiftedLoss, 0.016829622018],
      [found.gradNorm, 0.883871344529],
      [found.shiftedHessian.min, 0.00604735],
      [found.shiftedHessian.max, 16.9908],
      [found.samJacobian.minReal, 0.00607036],
      [found.samJacobian.maxReal, 171.501],
      [found.perturbationJacobian.minSymmetric, 0.89615],
    ];
    for (const [value, expected] of known) expect(relative(value, expected)).toBeLessThan(4e-6);
    expect(found.loss).toBeCloseTo(0.586253281466, 9);
    expect(found.gradNorm).toBeCloseTo(0.883871344529, 9);
    expect(found.maxStableLearningRate).toBeCloseTo(0.01166, 5);
    const { tensors } = readSafetensors(await readFile(out), out);
    expect(tensors["a"]).toMatchObject({ dtype: "float64", shape: [2] });
    expect((await readFile(page, "utf8")).match(/<svg /g)).toHaveLength(2);
  });

  describe("agrees with the native certificate of the same point and data", () => {
    const [size, width] = [24, 4];
    const values = Float64Array.from({ length: size * width }, (_, i) => Math.sin(i * i));
    const train = {
      size,
      batch: {
        x: tensor(values, [size, width], "float64"),
        y: tensor(
          Int32Array.from({ length: size }, (_, i) => i % 3),
          [size],
          "int32",
        ),
      },
    };
    const problem = mlp({ train, hidden: [3], dtype: "float64" });
    const point = problem.init(1);
    const x = flatten(point);
    const rho = 0.7;

    async function both(dense: boolean) {
      const data = join(folder, "data.json");
      const { x: images, y } = problem.train.batch as { x: Tensor; y: Tensor };
      const shape = problem.init(0) as { layers: { weight: Tensor }[] };
      await writeFile(
        data,
        JSON.stringify({
          x: Array.from(images.data, Number),
          rows: images.shape[0],
          y: Array.from(y.data, Number),
          point: Array.from(x),
          widths: shape.layers.map(({ weight }) => weight.shape),
        }),
      );
      const effort = { steps: 30, learningRate: 0.05, denseLimit: dense ? 1000 : 0, copies: 1 };
      const method = sam({ rho, outer: sgd({ momentum: 0.5, weightDecay: 0.01 }) });
      const native = await certify({ problem, point, method, ...effort });
      process.env["LUCID_TEST_DATA"] = data;
      const descending = { momentum: 0.5, nesterov: false, weightDecay: 0.01 };
      const certified = async (atOnce?: number) => {
        const remote = await remoteModel({
          interpreter,
          file: join(models, "mlp.py"),
          timeout: 100,
          atOnce,
        });
        try {
          return await certifyPoint(
            {
              f: remote.f,
              x: remote.x,
              rho,
              method: { name: "sam", ...descending },
              runner: remote.runner(rho, descending),
              problem: "mlp",
              samples: remote.samples,
            },
            effort,
          );
        } finally {
          await remote.f.dispose();
        }
      };
      return { native, remote: await certified(), inParts: dense ? await certified(7) : undefined };
    }

    const compare = (native: Certificate, remote: Certificate) => {
      expect(remote.verdict.name).toBe(native.verdict.name);
      for (const name of ["loss", "shiftedLoss", "gradNorm", "shiftedGradNorm"] as const) {
        expect(relative(remote[name], native[name])).toBeLessThan(1e-10);
      }
      for (const name of ["hessian", "shiftedHessian"] as const) {
        expect(relative(remote[name].min, native[name].min)).toBeLessThan(1e-6);
        expect(relative(remote[name].max, native[name].max)).toBeLessThan(1e-6);
      }
      expect(remote.subject?.samples).toBe(24);
      expect(remote.drift).not.toBeNull();
      expect(relative(remote.drift?.moved ?? 0, native.drift?.moved ?? 0)).toBeLessThan(1e-8);
      expect(relative(remote.drift?.lossAfter ?? 0, native.drift?.lossAfter ?? 0)).toBeLessThan(
        1e-8,
      );
    };

    test.each([true, false])("whole spectra: %s", async (dense) => {
      const { native, remote, inParts } = await both(dense);
      compare(native, remote);
      if (inParts) compare(native, inParts);
    });
  });

  const header = "import torch\nfrom torch import nn\n";
  const network = `model = nn.Linear(3, 2)
x, y = torch.ones(5, 3), torch.zeros(5, dtype=torch.long)
loss = nn.CrossEntropyLoss(reduction="none")
`;
  const faults: [string, string, RegExp][] = [
    [
      "the file fails",
      `${header}\n1 / 0\n`,
      /the file raised ZeroDivisionError in line 4: division by zero/,
    ],
    ["no lucid()", header, /it defines no lucid\(\)/],
    ["something else returned", `def lucid(): return 1`, /lucid\(\) returns something else/],
    [
      "the loss fails, after prints on standard output and a read of standard input",
      `${header}${network}
import os, sys
print("hello"); os.system("echo more"); os.write(1, b"bytes\\n"); sys.stdin.read()
def bad(output, y): raise ValueError("on purpose\\nand more")
def lucid(): return model, bad, x, y
`,
      /the loss raised ValueError in line 9: on purpose$/,
    ],
    [
      "dropout",
      `${header}${network}def lucid(): return model, lambda o, y: loss(nn.functional.dropout(o, 0.5), y), x, y\n`,
      /the loss is another each time, [\d.]+ and [\d.]+ at the same parameters \(turn off dropout/,
    ],
    [
      "another precision",
      `${header}${network}def lucid(): return model, lambda o, y: loss(o.float(), y), x, y\n`,
      /the loss is in float32 \(leave out autocast/,
    ],
    [
      "no gradient",
      `${header}${network}def lucid(): return model, lambda o, y: loss(o.detach(), y), x, y\n`,
      /the loss does not depend on the parameters/,
    ],
    [
      "killed",
      `${header}${network}
import os, signal
calls = []
def bad(o, y):
    calls.append(0)
    if len(calls) > 3: os.kill(os.getpid(), signal.SIGKILL)
    return loss(o, y)
def lucid(): return model, bad, x, y
`,
      /its Python process was ended by SIGKILL/,
    ],
    ["exits", `${header}import os\nos._exit(7)\n`, /its Python process ended with exit code 7/],
    [
      "hangs",
      `${header}${network}
import time
def bad(o, y): time.sleep(1000)
def lucid(): return model, bad, x, y
`,
      /its Python process has not answered for 15 s \(--timeout waits longer\)/,
    ],
  ];
  test.each(faults)("says in one sentence, with exit code 1: %s", async (name, text, message) => {
    const file = join(folder, `${name.replaceAll(/\W+/g, "-")}.py`);
    await writeFile(file, text);
    const flags = ["--interpreter", interpreter, "--rho", "1"];
    if (name === "hangs") flags.push("--timeout", "15");
    const { code, out, err } = await lucid("certify", "--python", file, ...flags);
    const lines = err.trimEnd().split("\n");
    expect(lines.at(-1)).toMatch(message);
    expect(lines.at(-1)).toContain(file);
    // What the file prints is shown, and nothing of Python's own.
    const printed = name.includes("prints") ? ["hello", "more", "bytes"] : [];
    const shown = lines.slice(0, -1).filter((line) => !/^(starting|certifying)/.test(line));
    expect(shown.toSorted()).toEqual(printed.toSorted());
    expect([code, out]).toEqual([1, ""]);
  });

  test("is not confused by a file named as a module that torch needs", async () => {
    await writeFile(join(folder, "bisect.py"), "1 / 0\n");
    const file = join(folder, "fine.py");
    await writeFile(file, `${header}${network}def lucid(): return model, loss, x, y\n`);
    const flags = ["--interpreter", interpreter, "--rho", "1", "--steps", "5", "--json"];
    const { code, out } = await lucid("certify", "--python", file, ...flags);
    expect([code, JSON.parse(out)]).toMatchObject([0, { details: { dimension: 8 } }]);
  });
});

describe("bad input is refused in one line", () => {
  const file = join(models, "mlp.py");
  const cases: [string, string[], number, RegExp][] = [
    [
      "no torch",
      [file, "--interpreter", "TORCHLESS", "--rho", "1"],
      1,
      /^missing torch: .*--interpreter/,
    ],
    [
      "no interpreter",
      [file, "--interpreter", "no-such-python", "--rho", "1"],
      2,
      /^unknown interpreter no-such-python/,
    ],
    ["no file", ["none.py", "--rho", "1"], 2, /^missing file none\.py/],
    ["no rho", [file], 2, /^missing --rho/],
    [
      "a problem beside it",
      [file, "--rho", "1", "--data", "digits"],
      2,
      /^invalid --data: the file of --python/,
    ],
    ["a point beside it", [file, "--rho", "1", "--point", "a.npz"], 2, /^invalid --point/],
    ["another method", [file, "--rho", "1", "--method", "asam"], 2, /^invalid method asam/],
    ["an unknown mode", [file, "--rho", "1", "--mode", "test"], 2, /^unknown mode "test"/],
    [
      "parts of a batch that is normalized whole",
      [file, "--rho", "1", "--mode", "train", "--at-once", "5"],
      2,
      /^invalid --at-once/,
    ],
  ];
  test.each(cases)("%s", async (name, args, exit, message) => {
    const given = args.map((arg) => (arg === "TORCHLESS" ? join(folder, "torchless") : arg));
    // An interpreter that stands for one without torch: it sees no packages.
    if (name === "no torch") {
      if (python === undefined) return;
      const script = `#!/bin/sh\nexec ${python} -S "$@"\n`;
      await writeFile(join(folder, "torchless"), script, { mode: 0o755 });
    }
    const { code, out, err } = await lucid("certify", "--python", ...given);
    expect(err).toMatch(message);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
    expect([code, out]).toEqual([exit, ""]);
  });
});
