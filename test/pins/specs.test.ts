/** Identities of runs: stored rows are found by them, so they may never change. */
import { describe, expect, test } from "vitest";
import { programKey } from "../../src/run/build.ts";
import { canonicalJson, parseSpec, specHash } from "../../src/run/spec.ts";
import { pinned } from "./pinned.ts";

pinned<object>("specs", async (input) => {
  const spec = parseSpec(input);
  return { canonical: canonicalJson(spec), hash: await specHash(spec) };
});

describe("programs", () => {
  const mnist = { data: "mnist", n: 500, pool: 2, hidden: [64, 32] };
  const key = (input: object) => programKey(parseSpec(input));

  test.each<[object, object]>([
    [{}, { rho: 4, lr: 1, seed: 2, schedule: "cosine", steps: 7 }],
    [{ switch: 0.3 }, { switch: 0.1, seed: 3 }],
    [mnist, { ...mnist, rho: "linear(2, 0)" }],
    [
      { ...mnist, optimizer: "adamw", batch: 50 },
      { ...mnist, optimizer: "adamw", batch: "50", lr: 0.5, schedule: "step" },
    ],
    [
      { problem: "cosine", rho: 4, steps: 10 },
      { problem: "cosine", seed: 8 },
    ],
    [{ method: "gd" }, { method: "SGD", lr: 0.3 }],
  ])("%j and %j are one", (a, b) => {
    expect(key(a)).toBe(key(b));
  });

  test.each<[object, object]>([
    [{}, { switch: 0.1 }],
    [{}, { n: 400 }],
    [{}, { hidden: [65] }],
    [{}, { activation: "relu" }],
    [{}, { dtype: "float64" }],
    [{}, { batch: 10 }],
    [{}, { momentum: 0.9 }],
    [{}, { clip: 1 }],
    [{}, { weightDecay: 0.1 }],
    [{}, { optimizer: "adamw" }],
    [{}, { normalization: "none" }],
    [{}, { method: "asam" }],
    [{ method: "asam" }, { method: "asam", settings: { eta: 0.3 } }],
    [
      { momentum: 0.9, n: 40 },
      { momentum: 0.9, n: 40, nesterov: true },
    ],
    [mnist, { ...mnist, data: "digits" }],
    [{ problem: "cosine" }, { problem: "ridge" }],
    [{ problem: "cosine" }, { problem: "cosine", start: [1, 1] }],
    [{ problem: "quadratic" }, { problem: "quadratic", separate: true }],
  ])("%j and %j are two", (a, b) => {
    expect(key(a)).not.toBe(key(b));
  });
});
