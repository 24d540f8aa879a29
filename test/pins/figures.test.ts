/** Pictures, byte for byte. The demo's are in demo.test.ts. */
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { lucid } from "../lucid.ts";
import { pinned, sha256 } from "./pinned.ts";
import { copyStudy } from "./studies.ts";

let root = "";
let study = "";

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "lucid-pins-"));
  study = await copyStudy("figure-5-quick", root);
});
afterAll(() => rm(root, { recursive: true }));

const stored = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

// Pictures that src/figures/figures.test.ts compares with; it would also accept new ones.
pinned<string>("figures-stored", (path) => sha256(stored(path)));

// docs/images/ridge.svg is drawn in demo.test.ts. docs/images/stalled-slope.svg is not drawn again:
// it takes 20,000 steps on MNIST in float32, which other processors round differently.
pinned<string>("figures-drawn", async (number) => {
  const file = join(root, `figure-${number}.svg`);
  const { code, err } = await lucid("figure", number, study, "--out", file);
  expect(code, err).toBe(0);
  const drawn = await readFile(file, "utf8");
  expect(drawn === stored(`docs/images/figure-${number}.svg`)).toBe(true);
  return sha256(drawn);
});
