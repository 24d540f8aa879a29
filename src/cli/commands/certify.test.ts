import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lucid } from "../../../test/lucid.ts";
import { certificateSchema } from "../../diagnostics/certificate/certificate.ts";
import { readSafetensors, writeSafetensors } from "../../engine/safetensors.ts";
import { tensor } from "../../engine/tensor.ts";

let folder = "";
const inFolder = (name: string) => join(folder, name);

const words = (line: string) => line.split(" ");
const network = words("--data digits --n 30 --pool 2 --hidden 4 --rho 1");

/** Weights as `torch.nn.Sequential(Linear(49, 4), Tanh(), Linear(4, 10)).state_dict()` has them. */
function stateDict() {
  const fill = (shape: number[], factor: number) =>
    tensor(
      Float32Array.from(
        { length: shape.reduce((a, b) => a * b) },
        (_, i) => factor * Math.sin(i + 1),
      ),
      shape,
      "float32",
    );
  return {
    "0.weight": fill([4, 49], 0.1),
    "0.bias": fill([4], 0.2),
    "2.weight": fill([10, 4], 0.4),
    "2.bias": fill([10], 0.3),
  };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-certify-"));
  const good = writeSafetensors(stateDict());
  await writeFile(inFolder("torch.safetensors"), good);
  await writeFile(inFolder("cut.safetensors"), good.subarray(0, good.length - 100));
  const header = good.slice();
  header.fill(0xff, 0, 6);
  header.fill(0, 6, 8);
  await writeFile(inFolder("header.safetensors"), header);
  const { "2.bias": bias, ...rest } = stateDict();
  await writeFile(inFolder("missing.safetensors"), writeSafetensors(rest));
  const turned = { ...stateDict(), "0.weight": { ...stateDict()["0.weight"], shape: [49, 4] } };
  await writeFile(inFolder("shape.safetensors"), writeSafetensors(turned));
  const holes = { ...rest, "2.bias": { ...bias, data: bias.data.slice().fill(NaN, 3, 4) } };
  await writeFile(inFolder("nan.safetensors"), writeSafetensors(holes));
  const named = {
    "head.weight": rest["2.weight"],
    "head.bias": bias,
    "module.fc.weight": rest["0.weight"],
    "module.fc.bias": rest["0.bias"],
  };
  await writeFile(inFolder("named.safetensors"), writeSafetensors(named));
  // As torch.save writes them: an archive whose first member is a pickle, or, long ago, pickles.
  await writeFile(inFolder("net.pt"), zipClaiming("archive/data.pkl", 6));
  await writeFile(inFolder("old.pt"), Uint8Array.of(0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46));
  // A ZIP archive whose one member claims to unpack to 4 GB from 6 bytes.
  await writeFile(inFolder("bomb.npz"), zipClaiming("0.weight.npy", 0xffffffff));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** A ZIP archive with one deflated member of 6 bytes that claims a size. */
function zipClaiming(name: string, size: number): Uint8Array {
  const title = new TextEncoder().encode(name);
  const data = Uint8Array.of(0x03, 0, 0, 0, 0, 0);
  const record = (
    signature: number,
    length: number,
    fields: [at: number, value: number, bytes: 2 | 4][],
  ) => {
    const view = new DataView(new ArrayBuffer(length));
    view.setUint32(0, signature, true);
    for (const [at, value, bytes] of fields) {
      if (bytes === 2) view.setUint16(at, value, true);
      else view.setUint32(at, value, true);
    }
    return new Uint8Array(view.buffer);
  };
  const local = record(0x04034b50, 30, [
    [8, 8, 2],
    [18, data.length, 4],
    [22, size, 4],
    [26, title.length, 2],
  ]);
  const central = record(0x02014b50, 46, [
    [10, 8, 2],
    [20, data.length, 4],
    [24, size, 4],
    [28, title.length, 2],
  ]);
  const start = local.length + title.length + data.length;
  const end = record(0x06054b50, 22, [
    [8, 1, 2],
    [10, 1, 2],
    [12, central.length + title.length, 4],
    [16, start, 4],
  ]);
  return Uint8Array.from([...local, ...title, ...data, ...central, ...title, ...end]);
}

it("whole spectra are computed up to as many parameters as are asked for", async () => {
  const at = words("certify --problem cosine --rho 4 --point 2.2831853,0 --steps 20 --json");
  for (const [limit, dense] of [
    [[], true],
    [["--whole-spectra", "2"], true],
    [["--whole-spectra", "1"], false],
  ] as const) {
    const { out, code } = await lucid(...at, ...limit);
    expect(code).toBe(0);
    const { details } = certificateSchema.parse(JSON.parse(out));
    expect([limit, details.dense]).toEqual([limit, dense]);
  }
});

describe("bad input is refused in one line, with exit code 2", () => {
  const at = (file: string) => ["certify", ...network, "--point", file];
  it.each<[string, () => string[], RegExp]>([
    ["no point", () => ["certify"], /^missing point \(give the folder of a run/],
    ["no rho", () => words("certify --problem cosine --point 1,1"), /^missing --rho/],
    ["rho 0", () => words("certify --problem cosine --rho 0 --point 1,1"), /^invalid rho: 0/],
    [
      "no count of parameters",
      () => words("certify --problem cosine --rho 1 --point 1,1 --whole-spectra 1.5"),
      /^invalid whole-spectra: 1\.5 \(give a whole number, 1 or more\)/,
    ],
    ["no file", () => at(inFolder("none.safetensors")), /^missing file .*none/],
    ["a truncated file", () => at(inFolder("cut.safetensors")), /^invalid file .*cut/],
    [
      "a header beyond the file",
      () => at(inFolder("header.safetensors")),
      /^invalid file .*header/,
    ],
    ["a missing tensor", () => at(inFolder("missing.safetensors")), /^missing layers\/1\/bias in /],
    [
      "a wrong shape",
      () => at(inFolder("shape.safetensors")),
      /^invalid layers\/0\/weight in .*\[49, 4\]/,
    ],
    [
      "NaN weights",
      () => at(inFolder("nan.safetensors")),
      /^invalid layers\/1\/bias in .*element 3 is NaN/,
    ],
    ["an npz bomb", () => at(inFolder("bomb.npz")), /^invalid file .*bomb\.npz/],
    [
      "a checkpoint",
      () => at(inFolder("net.pt")),
      /^invalid file .*net\.pt: a checkpoint of PyTorch.*save_file\(model\.state_dict\(\), "model\.safetensors"\)/,
    ],
    [
      "an old checkpoint",
      () => at(inFolder("old.pt")),
      /^invalid file .*old\.pt: a checkpoint of PyTorch/,
    ],
    ["a run and a loss", () => words("certify src --n 3"), /^invalid --n: the run says/],
    ["no run", () => ["certify", "src"], /^missing run in src/],
    [
      "an unknown way",
      () => words("find --problem cosine --rho 4 --by luck"),
      /^unknown way "luck"/,
    ],
    [
      "a plane's way",
      () => ["find", ...network, "--by", "grid"],
      /^invalid --by grid: mlp is no plane/,
    ],
    ["no center", () => ["find", ...network], /^missing --center/],
    ["no start", () => words("find --problem ridge --rho 1.5 --by curve"), /^missing --point/],
    [
      "a file for a point that is not refined",
      () => [...at(inFolder("torch.safetensors")), "--out", "refined.safetensors"],
      /^invalid --out: it is for --refine \(add that, or leave it out\)/,
    ],
    [
      "a budget of a refinement that is not asked",
      () => [...at(inFolder("torch.safetensors")), "--max-products", "5"],
      /^invalid --max-products: it is for --refine/,
    ],
    [
      "a timeout of a Python that is not asked",
      () => [...at(inFolder("torch.safetensors")), "--timeout", "5"],
      /^invalid --timeout: it is for --python/,
    ],
    [
      "a statement without theorems",
      () => words("certify --only B.3"),
      /^invalid --only: it is for/,
    ],
    [
      "a point beside theorems",
      () => words("certify --theorems --problem cosine"),
      /^invalid --problem: --theorems checks planes of its own/,
    ],
    ["a run beside theorems", () => words("certify run --theorems"), /^invalid run: --theorems/],
    [
      "samples of a model in Python",
      () => words("certify --python model.py --rho 1 --samples 5"),
      /^invalid --samples: Python computes, on all samples/,
    ],
    [
      "no statement",
      () => words("certify --theorems --only Fermat"),
      /^unknown statement "Fermat"/,
    ],
  ])("%s", async (_, args, message) => {
    const { code, out, err } = await lucid(...args());
    expect(err).toMatch(message);
    expect(err.split("\n")).toHaveLength(2);
    expect([code, out]).toEqual([2, ""]);
  });
});

describe("lucid certify", () => {
  it("certifies a point of a plane, in words and as JSON", async () => {
    const args = words("certify --problem cosine --rho 4 --point 2.283185307179586,0 --steps 50");
    const { code, out } = await lucid(...args);
    expect(code).toBe(0);
    expect(out).toMatch(/^Certified: cosine, 2 parameters, .*\n(.*\n)*\nhallucinated-minimizer\n/);
    const json = await lucid(...args, "--json");
    const certificate = certificateSchema.parse(JSON.parse(json.out));
    expect(certificate.verdict.name).toBe("hallucinated-minimizer");
    expect(Object.keys(JSON.parse(json.out) as object).slice(0, 15)).toEqual(
      words(
        "verdict attracting loss shiftedLoss gradNorm shiftedGradNorm gradRatio hessian shiftedHessian samJacobian perturbationJacobian maxStableLearningRate tolerances dtype engine",
      ),
    );
  });

  it("takes a PyTorch state dict unchanged, and writes what --refine reaches", async () => {
    const out = inFolder("refined.safetensors");
    const point = inFolder("torch.safetensors");
    const args = ["certify", ...network, "--point", point, "--steps", "5", "--json"];
    const certificate = certificateSchema.parse(JSON.parse((await lucid(...args)).out));
    expect(certificate.details.dimension).toBe(4 * 49 + 4 + 40 + 10);
    const refined = await lucid(...args, "--refine", "--max-products", "40", "--out", out);
    const { refinement, gradRatio } = JSON.parse(refined.out) as {
      refinement: { before: { gradRatio: number }; steps: { products: number }[] };
      gradRatio: number;
    };
    expect(refinement.before.gradRatio).toBeCloseTo(certificate.gradRatio ?? NaN, 12);
    expect(gradRatio).toBeLessThan(refinement.before.gradRatio);
    expect(refinement.steps.at(-1)?.products).toBeLessThanOrEqual(40);
    const { tensors } = readSafetensors(await readFile(out), out);
    expect(tensors["layers/0/weight"]).toMatchObject({ dtype: "float64", shape: [4, 49] });
  });

  it("takes weights of other names, and says which it took for which", async () => {
    const point = inFolder("named.safetensors");
    const { code, err } = await lucid("certify", ...network, "--point", point, "--steps", "5");
    expect(code).toBe(0);
    expect(err).toContain(
      "read fc/bias as layers/0/bias, fc/weight as layers/0/weight, head/bias as layers/1/bias",
    );
  });

  it("certifies the end of a run by its folder, as its method, rho and learning rate have it", async () => {
    const run = inFolder("run");
    const train =
      "train --problem cosine --rho 4 --start 2,0.5 --lr 0.1 --steps 600 --momentum 0.5 --out";
    expect((await lucid(...words(train), run)).code).toBe(0);
    const { code, out, err } = await lucid("certify", run, "--json");
    expect([code, err]).toEqual([0, ""]);
    const certificate = certificateSchema.parse(JSON.parse(out));
    expect(certificate.verdict.name).toBe("hallucinated-minimizer");
    expect(certificate.details).toMatchObject({ rho: 4, learningRate: 0.1 });
    expect(certificate.subject?.method).toEqual({
      name: "sam",
      momentum: 0.5,
      nesterov: false,
      weightDecay: 0,
    });
    // As another method sees it: plain descent has no rest here.
    const other = await lucid("certify", run, "--method", "gd", "--steps", "50", "--json");
    expect(JSON.parse(other.out)).toMatchObject({
      verdict: { name: "descending" },
      subject: { method: { name: "gd", momentum: 0 }, rho: 0 },
    });
  });

  it("judges the method that flags name, and refuses one that moves along no field", async () => {
    const at = "certify --problem cosine --rho 4 --point 2.283185307179586,0 --steps 50 --json";
    const judged = async (flags: string) => {
      const { out, err } = await lucid(...words(`${at} ${flags}`));
      return err === "" ? certificateSchema.parse(JSON.parse(out)) : err;
    };
    // ∇f^SAM = Mᵀg⁺ vanishes too.
    expect(await judged("--method exact-sam")).toMatchObject({
      verdict: { name: "hallucinated-minimizer" },
      subject: { method: { name: "exact-sam" } },
      direction: { samLike: false },
    });
    expect(await judged("--method asam --set eta=1")).toMatchObject({
      subject: { method: { name: "asam" } },
    });
    expect(await judged("--method looksam")).toMatch(
      /^invalid method: looksam remembers earlier steps, so it moves along no field \(judge /,
    );
    expect(await judged("--method bsam")).toMatch(/^invalid method: bsam draws random numbers/);
  });

  it("keeps the report as a page", async () => {
    const page = inFolder("report.html");
    const cosine = words("certify --problem cosine --rho 4 --steps 50 --html");
    await lucid(...cosine, page, "--point", "2.283185307179586,0");
    const one = await readFile(page, "utf8");
    expect(one).toContain("<h1>Hallucinated minimizer</h1>");
    expect(one).toMatch(/Do runs end here\? Yes\.<\/strong> SAM is drawn in/);
    expect(one).toContain("<p>Certified: cosine, 2 parameters, loss 0.65364 on 1 sample;");
    expect(one).toContain("this is not your network.</p>");
    expect(one.match(/<svg /g)).toHaveLength(1);
    expect(one).toContain("x: slope 0.757");
    expect(one).toMatch(/<td>‖g‖<\/td><td>0\.7568<\/td>/);
    expect(one).toMatch(/<td>random 3<\/td><td>returned<\/td>/);
    // A point beside it, refined.
    const both = [...cosine, page, "--point", "2.2,0.01", "--refine", "--json"];
    const { out } = await lucid(...both);
    const two = await readFile(page, "utf8");
    expect(two).toContain("<h2>After refining</h2>");
    expect(two.match(/<svg /g)).toHaveLength(2);
    expect(JSON.parse(out)).toMatchObject({ verdict: { name: "hallucinated-minimizer" } });
    // Where there is no slope there is no picture.
    await lucid(...cosine, page, "--point", "0,0");
    const flat = await readFile(page, "utf8");
    expect(flat).toContain("<h1>Minimizer</h1>");
    expect(flat).not.toContain("<svg ");
    for (const text of [one, two, flat]) expect(text).not.toMatch(/NaN|null|undefined|\[object/);
  });

  it("checks theorems", async () => {
    const { code, out } = await lucid(...words("certify --theorems --only B.3"));
    expect(code).toBe(0);
    expect(out).toMatch(/^holds {2}Corollary B\.3 on cosine: /);
  });
});

describe("lucid find", () => {
  const find = async (line: string) => {
    const { code, out } = await lucid(...words(`find ${line} --json`));
    expect(code).toBe(0);
    return JSON.parse(out) as never;
  };

  it("grid: every hallucinated point of a plane", async () => {
    const found: { x: number[]; certificate: { verdict: { name: string } } }[] = await find(
      "--problem wide-narrow --rho 2.5",
    );
    expect(found.map(({ x, certificate }) => [x[0]?.toFixed(3), certificate.verdict.name])).toEqual(
      [
        ["1.697", "hallucinated-saddle"],
        ["3.401", "hallucinated-minimizer"],
      ],
    );
  });

  it("sphere, construction, branch and curve", async () => {
    const sphere: { found: { x: number[] }[] }[] = await find(
      "--problem cosine --rho 4 --by sphere --center 6.283185307179586,0 --starts 8",
    );
    expect(sphere[0]?.found.length).toBeGreaterThan(0);
    const built: { error: number; rho: number }[] = await find(
      "--problem bump --by construction --epsilon 0.1",
    );
    expect(built).toHaveLength(1);
    expect(built[0]?.error).toBeLessThan(1e-10);
    const branch: { interval: number[] } = await find(
      "--problem cosine --rho 4 --by branch --center 6.283185307179586,0 --point 2.3,0",
    );
    expect(branch.interval[0]).toBeLessThan(3.3);
    const curve: { dimensions: number[] } = await find(
      "--problem ridge --rho 1.5 --by curve --point -0.5,0",
    );
    expect(new Set(curve.dimensions)).toEqual(new Set([1]));
  });
});
