import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lucid } from "../../test/lucid.ts";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-cli-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

const plane = ["train", "--problem", "cosine", "--rho", "4", "--steps", "60"];

describe("bad input is refused in one line, with exit code 2", () => {
  it.each<[string, string | RegExp]>([
    ["train --rho -1", /^invalid rho: -1 \(give a number, 0 or more/],
    ["train --rho x", /^invalid rho: x/],
    ["train --rho", "missing value for --rho"],
    ["train --rho --lr 1", "missing value for --rho"],
    ["train --method samm", 'unknown method "samm" (did you mean "sam"?)'],
    ["train --n 0", "invalid n: 0 (give a whole number, 1 or more)"],
    ["train --n 1e9", /^invalid number of training images: 1000000000/],
    ["train --hidden 0", "invalid hidden: 0 (give widths of 1 or more, such as 128,64)"],
    ["train --pool 3", /^invalid pool: 3 does not divide images of 14 × 14 pixels/],
    ["train --problem ./nowhere", "missing file ./nowhere: it does not exist"],
    ["train --problem ./nowhere.ts", "missing file ./nowhere.ts: it does not exist"],
    [
      "train --problem ./README.md",
      "invalid file ./README.md: not a problem (give a .ts or .js file, or the folder that lucid_sam.export wrote)",
    ],
    ["train --problem cosine --start NaN,1", /^invalid start: NaN,1/],
    ["train --problem cosine --hidden 3", /^invalid hidden: problem cosine has none/],
    ["train --problem cosine --batch 2", /^invalid batch: 2 of 1 samples/],
    ["train --weight-decay -1", "invalid weight decay: -1 (give a number, 0 or more)"],
    ["train --set rho", "invalid --set: rho (give key=value)"],
    ["train --set roh=1", /^unknown setting "roh" of sam/],
    ["train --rho 1 --set rho=2", "invalid rho: 1 and 2 (give it once)"],
    ["train --engine wasm", 'unknown engine "wasm" (choose from auto, native, jax)'],
    ["train --threads 0", "invalid threads: 0 (give a whole number, 1 or more)"],
    [
      "train --problem cosine --threads 100000",
      /^invalid threads: 100000 \(this machine has \d+ cores?; give at most \d+\)$/,
    ],
    [
      "train --hidden 100000000",
      /^invalid run: hidden 100000000 on 500 images: it needs about \d+ GiB of memory where this machine has [\d.]+ GiB \(give fewer\)$/,
    ],
    [
      "train --problem regression --hidden 2000000000",
      /^invalid run: 16 points of sine, hidden 2000000000: it needs about/,
    ],
    ["export --hidden 9999999,9999999", /^invalid run: hidden 9999999,9999999 on 500 images: it/],
    [
      "find --rho 1 --hidden 100000000",
      /^invalid run: hidden 100000000 on 500 images: it needs about/,
    ],
    [
      "sweep studies/figure-5.ts --preset quick --workers 100000",
      /^invalid workers: 100000 \(this machine has \d+ cores?; give at most \d+\)$/,
    ],
    ["train --record-every x", "invalid record-every: x (give a whole number, 1 or more)"],
    ["train --roh 1", 'unknown option "--roh" (did you mean "--rho"?)'],
    [
      "sweep unpack study.jsonl.gz --out here",
      'unknown option "--out" of sweep unpack (see --help)',
    ],
    [
      "bench --python /nowhere/python --minutes 1",
      "unknown interpreter /nowhere/python (give a Python that has torch: --python .venv/bin/python)",
    ],
    ["bench --only wide", /^unknown group "wide"/],
    ["bench --threads 1,100000", /^invalid threads: 100000 \(this machine has/],
    ["train fast", /^invalid command line: too many arguments/],
    ["trian", 'unknown command "trian" (did you mean "train"?)'],
    ["methods samm", 'unknown method "samm" (did you mean "sam"?)'],
    ["methods fishersamm", 'unknown method "fishersamm" (did you mean "fishersam"?)'],
    // All of one list, and no second names of what is in it.
    ["methods nadir", /^unknown method "nadir" \(choose from gd, sam, usam, [\w, -]+, guarded\)$/],
    ["train --resume nowhere", "missing folder nowhere: it does not exist"],
    [
      "train --resume package.json",
      "invalid folder package.json: it is a file (give the path of a folder)",
    ],
    ["sweep status nowhere", "missing folder nowhere: it does not exist"],
    [
      "sweep status package.json",
      "invalid folder package.json: it is a file (give the path of a folder)",
    ],
    ["sweep README.md", "invalid file README.md: not a study (give a .json, .ts or .js file)"],
    [
      "report README.md",
      /^invalid README.md: neither a run, nor a study, nor a certificate \(give the folder of a run/,
    ],
    ["report src", /^invalid src: neither a run, nor a study, nor a certificate/],
    ["export --names lucid", "invalid --names: it is for --weights (add that, or leave it out)"],
    ["train --resume src", /^missing run in src: it has no config.json/],
    ["train --resume src --rho 1", "invalid --rho: a resumed run keeps its own (leave it out)"],
    ["train --problem cosine --steps 1 --out src", /^invalid out: src is not empty/],
    ["train --problem cosine --steps 1 --out package.json", /^invalid folder package.json/],
  ])("lucid %s", async (line, message) => {
    const { code, out, err } = await lucid(...line.split(" "));
    expect(err.trimEnd()).toMatch(message);
    if (typeof message === "string") expect(err).toBe(`${message}\n`);
    expect(err.split("\n")).toHaveLength(2);
    expect(out).toBe("");
    expect(code).toBe(2);
  });
});

it("what a line echoes is short, and cannot steer the terminal", async () => {
  for (const args of [
    ["train", "--resume", "x".repeat(100_000)],
    ["train", "--rho", "\u001B]0;title\u0007\u001B[2J"],
    ["\u001B[2J".repeat(1000)],
    ["methods", "y".repeat(100_000)],
  ]) {
    const { code, err } = await lucid(...args);
    expect(code).toBe(2);
    expect(err.length).toBeLessThan(700);
    expect(err.trimEnd()).toMatch(/^[\u0020-\u007E\u00A0-\uFFFF]+$/);
  }
});

it("doctor does not take what is no folder for a place of a cache", async () => {
  const cache = process.env["LUCID_CACHE"];
  process.env["LUCID_CACHE"] = join(import.meta.filename, "cache");
  const { out } = await lucid("doctor", "--json");
  if (cache === undefined) delete process.env["LUCID_CACHE"];
  else process.env["LUCID_CACHE"] = cache;
  const findings = JSON.parse(out) as { name: string }[];
  expect(findings.find(({ name }) => name === "cache folder")).toMatchObject({ status: "missing" });
});

describe("lucid train", () => {
  it("prints one JSON document with --json", async () => {
    const { code, out } = await lucid(...plane, "--json");
    expect(code).toBe(0);
    const document = JSON.parse(out) as { trace: { step: number; point: number[] }[] };
    const number = expect.any(Number);
    const point = [number, number];
    expect(document).toMatchObject({
      spec: { problem: "cosine", method: "sam", rho: 4, start: [2, 0.5], dtype: "float64" },
      final: {
        step: 60,
        loss: number,
        shiftedLoss: number,
        gradNorm: number,
        shiftedGradNorm: number,
        gradRatio: number,
        lossGap: number,
        cosine: number,
        trainAccuracy: null,
        testAccuracy: null,
        point,
      },
      verdict: { name: expect.any(String), sentence: expect.any(String), basis: "screen" },
      provenance: { engine: "native", dtype: "float64", seconds: number },
      out: null,
    });
    const row = { loss: number, shiftedLoss: number, gradNorm: number, shiftedGradNorm: number };
    expect(document.trace).toHaveLength(61);
    document.trace.forEach((entry, step) => {
      expect(entry).toMatchObject({ step, point, ascentPoint: point, ...row });
    });
    expect(document.trace[0]?.point).toEqual([2, 0.5]);
  });

  it("prints a summary that begins with the verdict without --json", async () => {
    const { code, out, err } = await lucid("train", "--n", "30", "--hidden", "4", "--steps", "60");
    expect(code).toBe(0);
    expect(out).toMatch(/^[a-z-]+: [A-Z].*\n\nsam ρ = 0.05 \(0.024 ‖x₀‖\) on 30 images of digits/);
    expect(out).toMatch(/accuracy +\d+\.\d % train, \d+\.\d % test/);
    expect(err.replace(/^step .*\n/gm, "")).toBe(""); // progress, where the machine is slow
  });

  it("says its warning once, on stderr", async () => {
    const { err } = await lucid(...plane, "--steps", "400");
    expect(err).toMatch(/^step \d+: SAM steps no longer lower the loss/);
    expect(err.split("\n")).toHaveLength(2);
  });

  it("keeps a run in a folder and refuses to run there again", async () => {
    const out = join(folder, "deep", "run");
    const first = await lucid(...plane, "--json", "--out", out);
    expect(JSON.parse(first.out)).toMatchObject({ out });
    expect((await readdir(out)).sort()).toEqual([
      "config.json",
      "final.safetensors",
      "metrics.jsonl",
      "result.json",
    ]);
    const again = await lucid(...plane, "--out", out);
    expect(again.err).toMatch(/^invalid out: .* already holds a run/);
    expect(again.code).toBe(2);
    // A finished run has nothing left to do but to say how it ended.
    expect((await lucid("train", "--resume", out, "--json")).out).toBe(first.out);
  });

  it.each<[string, string, string, RegExp]>([
    ["not JSON", "config.json", "{", /^invalid file .*config.json: not JSON/],
    ["foreign", "config.json", "{}", /^invalid file .*config.json: not the configuration of a run/],
    ["corrupt", "checkpoint.safetensors", "xxxxxxxxxxxx", /^invalid .*checkpoint.safetensors/],
  ])("refuses a folder that is %s", async (name, file, content, message) => {
    const out = join(folder, name);
    await lucid(...plane, "--out", out);
    await rm(join(out, "result.json"));
    await writeFile(join(out, file), content);
    const { code, err } = await lucid("train", "--resume", out);
    expect(err).toMatch(message);
    expect(err.split("\n")).toHaveLength(2);
    expect(code).toBe(2);
  });

  it("refuses a folder of a newer version", async () => {
    const out = join(folder, "newer");
    await lucid(...plane, "--out", out);
    const text = await readFile(join(out, "config.json"), "utf8");
    const { check: _, ...config } = JSON.parse(text) as { check: string };
    await writeFile(join(out, "config.json"), JSON.stringify({ ...config, format: 2 }));
    const { code, err } = await lucid("train", "--resume", out);
    expect(err).toMatch(/which is newer \(update lucid-sam\)/);
    expect(code).toBe(2);
  });

  it("begins anew where a run was killed before its first checkpoint", async () => {
    const out = join(folder, "early");
    const first = await lucid(...plane, "--json", "--out", out);
    await Promise.all(["result.json", "metrics.jsonl"].map((file) => rm(join(out, file))));
    const { code, out: text } = await lucid("train", "--resume", out, "--json");
    expect(code).toBe(0);
    const [a, b] = [first.out, text].map((json) => JSON.parse(json) as { trace: unknown });
    expect(b?.trace).toEqual(a?.trace);
  });

  it("leaves nothing behind where it cannot write", async () => {
    const locked = join(folder, "locked");
    await mkdir(locked);
    await chmod(locked, 0o500);
    // The superuser may write anywhere but here.
    const path = process.getuid?.() === 0 ? "/proc/lucid/run" : join(locked, "run");
    const { code, err } = await lucid(...plane, "--out", path);
    expect(err).toMatch(/^invalid folder .*: cannot make it/);
    expect(err.split("\n")).toHaveLength(2);
    expect(code).not.toBe(0);
    expect(await readdir(locked)).toEqual([]);
  });
});

describe("lists", () => {
  it("has a line per method and everything about one", async () => {
    expect((await lucid("methods")).out).toMatch(/^gd +Gradient descent/);
    expect((await lucid("methods", "sam")).out).toMatch(/--rho +ρ.*default: 0.05/);
    const listed = JSON.parse((await lucid("methods", "--json")).out) as object[];
    expect(listed[1]).toMatchObject({
      name: "sam",
      settings: [{ name: "rho", default: 0.05 }, {}],
    });
  });

  it("has a line per problem", async () => {
    expect((await lucid("problems")).out).toMatch(/^mlp +network .*\nquadratic +plane /);
    const listed = JSON.parse((await lucid("problems", "--json")).out) as { name: string }[];
    expect(listed.find(({ name }) => name === "cosine")).toMatchObject({ start: [2, 0.5] });
  });

  it("helps", async () => {
    expect(await lucid()).toMatchObject({ code: 0, err: "" });
    const { code, out, err } = await lucid("train", "--help");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/--steps <count> +length of the run; default 5000, 1000 on planes/);
    expect((await lucid("--version")).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
