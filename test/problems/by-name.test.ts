/** Networks by name: swept, trained and certified from the command line. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { problems } from "../../src/problems/registry.ts";
import { lucid } from "../lucid.ts";

/** Instances of a few dozen parameters. */
const small: { readonly [network: string]: { readonly [field: string]: unknown } } = {
  mlp: { hidden: [2], norm: "layer", dropout: 0.2, activation: "sin", n: 6, pool: 7 },
  cnn: { channels: [2, 2], norm: "batch", activation: "tanh", n: 6, pool: 7 },
  resnet: { width: 1, norm: "group", n: 6, pool: 7 },
  vit: { patch: 1, dim: 2, heads: 1, blocks: 1, n: 6, pool: 7 },
  gpt: { p: 3, dim: 2, heads: 1, blocks: 1 },
  gcn: { data: "block-model", nodes: 6, labelled: 1, hidden: [2], activation: "gelu" },
  regression: { n: 5 },
};
const names = Object.keys(small);

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-networks-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

test("every network has its instance", () => {
  const networks = problems.filter(({ kind }) => kind === "network").map(({ name }) => name);
  expect(names.toSorted()).toEqual(networks.toSorted());
});

test("all of them are swept by one study", async () => {
  const study = {
    name: "networks",
    fixed: { rho: 0.05, lr: 0.1, dtype: "float64", steps: 3 },
    axes: {
      network: Object.fromEntries(
        names.map((problem) => [problem, { problem, ...small[problem] }]),
      ),
    },
    seeds: 1,
  };
  const file = join(folder, "study.json");
  await writeFile(file, JSON.stringify(study));
  const out = join(folder, "rows");
  const { code, err } = await lucid("sweep", file, "--out", out, "--workers", "1");
  expect(err).not.toContain("failed");
  expect(code).toBe(0);
  const status = await lucid("sweep", "status", out, "--json");
  // Three steps are too few for a verdict.
  expect(JSON.parse(status.out)).toMatchObject({
    cells: names.length,
    statuses: { inconclusive: names.length },
  });
});

/** Compiling second derivatives of the others takes as long as all of this. */
const certified = ["cnn", "gpt", "gcn"];

test.each(certified)("%s is trained and certified", async (problem) => {
  const flags = Object.entries(small[problem] ?? {}).flatMap(([field, value]) => [
    `--${field}`,
    String(value),
  ]);
  const out = join(folder, problem);
  const how = ["--rho", "0.05", "--lr", "0.1", "--steps", "3", "--dtype", "float64"];
  const trained = await lucid("train", "--problem", problem, ...flags, ...how, "--out", out);
  expect(trained.err).not.toMatch(/^(missing|invalid|unknown)/m);
  expect(trained.code).toBe(0);
  const { code, out: document } = await lucid("certify", out, "--steps", "2", "--json");
  expect(code).toBe(0);
  const certificate = JSON.parse(document) as { loss: number; verdict: { name: string } };
  expect(Number.isFinite(certificate.loss)).toBe(true);
  expect(certificate.verdict.name).toMatch(/./);
});
