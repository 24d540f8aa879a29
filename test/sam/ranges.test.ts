/** Ranges of methods' settings: what a setting takes, up to which bound, and whether that itself. */
import { expect, test } from "vitest";
import { describeSettings, methods, resolveSettings } from "../../src/sam/registry.ts";

/** Intervals as one writes them; ℕ for whole numbers alone. Wrappers are listed with what they wrap by default. */
const ranges = {
  "ae-sam": { delta: "[0, 1)", lambda1: "", lambda2: "", initialVariance: "[0, ∞)" },
  amp: { rate: "(0, ∞)", steps: "[1, ∞) ℕ" },
  asam: { eta: "[0, ∞)" },
  "auto-switching": { every: "[1, ∞) ℕ", smoothing: "[0, 1)", resume: "" },
  bsam: {
    b1: "[0, 1)",
    b2: "[0, 1]",
    damping: "[0, ∞)",
    priorPrecision: "[0, ∞)",
    dataFactor: "(0, ∞)",
    chunks: "[1, ∞) ℕ",
  },
  "decaying-sam": { rho: "[0, ∞)", decay: "[0, ∞)" },
  "entropy-sgd": {
    steps: "[1, 64] ℕ",
    gamma: "[0, ∞)",
    scoping: "[0, ∞)",
    noise: "[0, ∞)",
    rate: "(0, ∞)",
    beta: "[0, 1)",
    momentum: "[0, 1)",
  },
  esam: { beta: "(0, 1]", gamma: "(0, 1]" },
  "exact-sam": { cap: "(0, ∞)" },
  "f-sam": { sigma: "", lambda: "[0, 1]" },
  "fisher-sam": { eta: "[0, ∞)" },
  gsam: { alpha: "[0, ∞)" },
  guarded: { every: "[1, ∞) ℕ", smoothing: "[0, 1)", act: "", resume: "" },
  "late-phase-sam": { at: "[0, 1]" },
  lookbehind: { steps: "[1, ∞) ℕ", alpha: "[0, 1]" },
  looksam: { every: "[1, ∞) ℕ", alpha: "[0, ∞)" },
  "m-sam": { chunks: "[1, 64] ℕ" },
  mesa: { lambda: "[0, ∞)", tau: "(0, ∞)", start: "[0, ∞) ℕ", decay: "[0, 1)" },
  "multistep-sam": { steps: "[1, ∞) ℕ" },
  saf: { lambda: "[0, ∞)", tau: "(0, ∞)", start: "[0, ∞) ℕ", epochs: "[1, ∞) ℕ" },
  "sam-on": { eta: "[0, ∞)" },
  sampa: { lambda: "[0, 1]" },
  "sparse-sam": {
    sparsity: "[0, 1)",
    every: "[1, ∞) ℕ",
    samples: "[1, 64] ℕ",
    dropRate: "[0, 1]",
  },
  switching: { at: "[0, 1]", until: "[0, 1]" },
  vasso: { theta: "[0, 1]" },
} satisfies { readonly [method: string]: { readonly [setting: string]: string } };

const all = Object.entries(ranges).flatMap(([method, own]) =>
  Object.entries(own).map(([setting, range]) => [method, setting, range] as const),
);

const takes = (method: string, setting: string, value: number): boolean => {
  try {
    return resolveSettings(method, { [setting]: value })[setting] === value;
  } catch (error) {
    expect(String(error)).toContain(`invalid ${setting}: ${value} (give `);
    return false;
  }
};

test.each(all)("%s takes %s in %s", (method, setting, range) => {
  const [, left, low, high, right] = /^([[(])(.*), (.*)([\])])/.exec(range) ?? [];
  const isWhole = range.endsWith("ℕ");
  const [least, most] = [
    Number(low ?? -Infinity),
    high === "∞" ? Infinity : Number(high ?? Infinity),
  ];
  const step = isWhole ? 1 : 1e-9;
  if (Number.isFinite(least)) {
    expect(takes(method, setting, least)).toBe(left === "[");
    expect(takes(method, setting, least - step)).toBe(false);
  }
  if (Number.isFinite(most)) {
    expect(takes(method, setting, most)).toBe(right === "]");
    expect(takes(method, setting, most + step)).toBe(false);
  }
  const inside = Number.isFinite(least) ? least + step : -1e9;
  expect(takes(method, setting, inside)).toBe(true);
  expect(takes(method, setting, Number.isFinite(most) ? most - step : 1e9)).toBe(true);
  const between = (Number.isFinite(least) ? least : 0) + 0.5;
  expect(takes(method, setting, between)).toBe(!isWhole);
  for (const none of [Number.NaN, Infinity]) expect(takes(method, setting, none)).toBe(false);
});

test("the list has every setting that is a number and takes no schedule", () => {
  const isSchedule = (method: string, setting: string) => {
    try {
      return Boolean(resolveSettings(method, { [setting]: "cosine(0.1, 0)" }));
    } catch {
      return false;
    }
  };
  const found = methods.flatMap((method) =>
    describeSettings(method)
      .filter(
        ({ name, default: usual }) => typeof usual === "number" && !isSchedule(method.name, name),
      )
      .map(({ name }) => `${method.name} ${name}`),
  );
  expect(found.toSorted()).toEqual(
    all.map(([method, setting]) => `${method} ${setting}`).toSorted(),
  );
});
