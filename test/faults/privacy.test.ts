import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { run } from "./cli.ts";

let folder = "";
let home = "";
let env: NodeJS.ProcessEnv = {};
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lucid-privacy-"));
  home = join(folder, "home");
  mkdirSync(home);
  env = { ...process.env, HOME: home, USERPROFILE: home, LOCALAPPDATA: home };
  for (const name of ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"]) {
    delete env[name];
  }
  delete env["ORT_DISABLE_TELEMETRY"];
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("nothing is written into the user's home by", () => {
  test("training, certifying and sweeping on the command line", async () => {
    const point = join(folder, "run");
    const train = ["train", "--problem", "cosine", "--rho", "1", "--steps", "100", "--out", point];
    await run(train, env);
    expect(readdirSync(home)).toEqual([]);
    await run(["certify", point], env);
    expect(readdirSync(home)).toEqual([]);
    const study = join(folder, "study.json");
    const axes = { rho: [0.5, 1, 2] };
    writeFileSync(
      study,
      JSON.stringify({ name: "s", fixed: { problem: "cosine" }, axes, steps: 50 }),
    );
    await run(["sweep", study, "--workers", "2", "--out", join(folder, "sweep")], env);
    expect(readdirSync(home)).toEqual([]);
  });

  test("the library", () => {
    const index = pathToFileURL(join(import.meta.dirname, "../../src/index.ts")).href;
    const code = `
      const { planes, prepareTraining, sam, sgd } = await import(${JSON.stringify(index)});
      const problem = planes.cosine.create();
      const method = sam({ rho: 1, outer: sgd({ learningRate: 0.1 }) });
      const training = await prepareTraining({ problem, method, engine: "native" });
      await training.run({ steps: 10 });
      await training.dispose();`;
    const node = ["--conditions=source", "--input-type=module", "--eval", code];
    execFileSync(process.execPath, node, { env });
    expect(readdirSync(home)).toEqual([]);
  });
});
