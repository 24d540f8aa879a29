import { describe, expect, test } from "vitest";
import { compileScalar, pickOutputs } from "../../engine/index.ts";
import { expression, planes } from "../../problems/planes/index.ts";
import type { PlaneProblem } from "../../problems/planes/index.ts";
import { endOf } from "../../reproduce/ridge.ts";
import { createMethod } from "../../sam/registry.ts";
import { basinCode } from "./basin-code.ts";
import { basinEnds, basinMap, fillCoarse, mergeBasins, notYet, type BasinMap } from "./basins.ts";
import { traceScene } from "./scene.ts";

const sceneOf = (problem: PlaneProblem, method = "sam") =>
  traceScene({ problem, method: (outer) => createMethod(method, {}, outer) });

function last(maps: Iterable<BasinMap>): BasinMap {
  let map: BasinMap | undefined;
  for (map of maps);
  return map as BasinMap;
}

interface Case {
  readonly words: string;
  readonly problem: PlaneProblem;
  readonly knobs: { readonly [name: string]: number };
  readonly rate: number;
  readonly steps: number;
  readonly method?: string;
  readonly mirrors: readonly [boolean, boolean];
}

const typed = expression("(x1^2-1)^2 + 0.3*x1 + x2^2*(1 + sin(x1))");
const cases: readonly Case[] = [
  {
    words: "ridge, ρ = 1.6",
    problem: planes.ridge.create(),
    knobs: { rho: 1.6 },
    rate: 0.02,
    steps: 600,
    mirrors: [true, true],
  },
  {
    words: "ridge, ρ = 1.15",
    problem: planes.ridge.create(),
    knobs: { rho: 1.15 },
    rate: 0.02,
    steps: 600,
    mirrors: [true, true],
  },
  {
    words: "ridge, ρ = 0.5",
    problem: planes.ridge.create(),
    knobs: { rho: 0.5 },
    rate: 0.02,
    steps: 600,
    mirrors: [true, true],
  },
  {
    words: "descent on himmelblau",
    problem: planes.himmelblau.create(),
    knobs: {},
    rate: 0.01,
    steps: 600,
    method: "gd",
    mirrors: [false, false],
  },
  {
    words: "descent that diverges on rosenbrock",
    problem: planes.rosenbrock.create(),
    knobs: {},
    rate: 0.01,
    steps: 300,
    method: "gd",
    mirrors: [false, false],
  },
  {
    words: "cosine, ρ = 4",
    problem: planes.cosine.create(),
    knobs: { rho: 4 },
    rate: 0.1,
    steps: 400,
    mirrors: [true, true],
  },
  {
    words: "descent on wide-narrow",
    problem: planes["wide-narrow"].create(),
    knobs: {},
    rate: 0.5,
    steps: 600,
    method: "gd",
    mirrors: [false, true],
  },
  {
    words: "ASAM on bump",
    problem: planes.bump.create(),
    knobs: { rho: 0.3 },
    rate: 0.1,
    steps: 300,
    method: "asam",
    mirrors: [false, false],
  },
  {
    words: "SAM on a typed plane",
    problem: typed,
    knobs: { rho: 0.4 },
    rate: 0.05,
    steps: 400,
    mirrors: [false, true],
  },
];

/** The definition once more, a start at a time, without a shortcut. */
function endsByHand(
  { problem: { plane }, knobs, rate, steps }: Case,
  step: (...x: number[]) => number[],
  starts: readonly (readonly [number, number])[],
): string[] {
  return starts.map(([a, b]) => {
    let [x1, x2] = [a, b];
    for (let k = 0; k < steps; k++) {
      const [norm = NaN, v1 = NaN, v2 = NaN, loss = NaN, h11 = NaN, h12 = NaN, h22 = NaN] = step(
        x1,
        x2,
        ...Object.values(knobs),
      );
      if (norm < 1e-8) {
        const low = h11 + h22 - Math.sqrt((h11 - h22) ** 2 + 4 * h12 ** 2);
        const isMinimizer =
          plane.minimum === undefined ? low > -1e-6 : loss < plane.minimum + 1e-12;
        return isMinimizer ? "minimizer" : "critical";
      }
      if (v1 * v1 + v2 * v2 < 1e-8 * 1e-8 * (norm * norm)) return "hallucinated";
      x1 -= rate * v1;
      x2 -= rate * v2;
    }
    return Number.isFinite(x1) && Number.isFinite(x2) ? "unsettled" : "diverged";
  });
}

describe("every pixel is what its own steps lead to", () => {
  const size = 40;
  const seen = new Set<string>();
  test.each(cases)("$words", async (given) => {
    const { problem, method, knobs, rate, steps, mirrors } = given;
    const { f } = await sceneOf(problem, method);
    const code = basinCode(f);
    expect(code.mirrors).toEqual(mirrors);
    const view = problem.plane.domain;
    const options = {
      code,
      knobs,
      view,
      columns: size,
      rows: size,
      steps,
      rate,
      minimum: problem.plane.minimum,
    };
    const map = last(basinMap(options));
    expect(map.stride).toBe(1);
    const step = compileScalar(
      pickOutputs(f, [
        "gradNorm",
        "direction1",
        "direction2",
        "loss",
        "hessian1",
        "hessian2",
        "hessian4",
      ]),
    );
    const center = ([low, high]: readonly [number, number], i: number) =>
      (low + high) / 2 + ((2 * i + 1 - size) * (high - low)) / (2 * size);
    const starts = Array.from(
      { length: size * size },
      (_, i) => [center(view[0], i % size), center(view[1], Math.floor(i / size))] as const,
    );
    const names = Array.from(map.classes, (kind) => basinEnds[kind]);
    expect(names).toEqual(endsByHand(given, step, starts));
    for (const name of names) seen.add(String(name));
    // Mirror images, shares of workers and the order change nothing.
    const plain = last(basinMap({ ...options, mirror: false }));
    expect(plain.classes).toEqual(map.classes);
    expect(plain.used).toEqual(map.used);
    const parts = [0, 1, 2].map((worker) =>
      last(basinMap({ ...options, share: { worker, of: 3 } })),
    );
    const merged = mergeBasins(parts);
    expect(merged.classes).toEqual(map.classes);
    expect(merged.steps).toBe(map.steps);
  });

  test("and all ends occur in these maps", () => {
    expect([...seen].sort()).toEqual([...basinEnds].sort());
  });
});

test("a map is coarse first, and its first shape is a sixty-fourth of the work", async () => {
  const problem = planes.himmelblau.create();
  const { f } = await sceneOf(problem, "gd");
  const options = {
    code: basinCode(f),
    knobs: {},
    view: problem.plane.domain,
    columns: 64,
    rows: 64,
    steps: 300,
    rate: 0.01,
    minimum: 0,
  };
  const strides: number[] = [];
  let coarse: Uint8Array | undefined;
  for (const map of basinMap(options)) {
    strides.push(map.stride);
    if (map.stride > 1) expect(map.classes).toContain(notYet);
    if (map.stride === 8) {
      expect(map.classes.filter((kind) => kind !== notYet)).toHaveLength(64);
      coarse = fillCoarse(map);
      expect(coarse).not.toContain(notYet);
    }
  }
  expect([...new Set(strides)]).toEqual([8, 4, 2, 1]);
  const whole = last(basinMap(options)).classes;
  expect(coarse?.filter((kind, i) => kind === whole[i]).length).toBeGreaterThan(0.8 * whole.length);
});

test("figure 11's classes come out, up to pixels that rounding decides", async () => {
  const { plane } = planes.ridge.create();
  const { f } = await sceneOf(planes.ridge.create());
  const code = basinCode(f);
  const [columns, rows] = [28, 48];
  for (const rho of [0.5, 1.15, 1.6]) {
    const options = {
      code,
      knobs: { rho },
      view: plane.domain,
      columns,
      rows,
      steps: 2000,
      rate: 0.02,
      minimum: 0,
    };
    const { classes } = last(basinMap(options));
    let differ = 0;
    for (const [i, kind] of classes.entries()) {
      const x1 = -1.75 + (((i % columns) + 0.5) / columns) * 3.5;
      const x2 = -3 + ((Math.floor(i / columns) + 0.5) / rows) * 6;
      if (endOf(plane, [x1, x2], rho, 0.02, 2000) !== kind) differ++;
    }
    expect(differ, `ρ = ${rho}`).toBeLessThanOrEqual(4);
  }
});

test("a run that goes round exactly is known to be unsettled without its whole budget", async () => {
  // x ← x − 2x = −x.
  const { f } = await sceneOf(expression("x1^2/2+x2^2/2"), "gd");
  const map = last(
    basinMap({
      code: basinCode(f),
      knobs: {},
      view: [
        [-1, 1],
        [-1, 1],
      ],
      columns: 4,
      rows: 4,
      steps: 1e9,
      rate: 2,
    }),
  );
  expect([...map.classes]).toEqual(Array(16).fill(basinEnds.indexOf("unsettled")));
  expect(Math.max(...map.used)).toBeLessThan(200);
});

test("without a known minimum the Hessian says whether a point of rest is a minimizer", async () => {
  for (const [text, wanted] of [
    ["x1^2/2-x2^2/2", "critical"],
    ["-x1^2/2+x2^2/2+0*x2", "unsettled"],
    ["x1^2/2+x2^2/2", "minimizer"],
  ] as const) {
    const { f } = await sceneOf(expression(text), "gd");
    const options = { code: basinCode(f), knobs: {}, columns: 1, rows: 1, steps: 300, rate: 0.5 };
    // One start, on the axis of x₁.
    const view = [
      [0.5, 0.7],
      [-1, 1],
    ] as const;
    const { classes } = last(basinMap({ ...options, view }));
    expect(basinEnds[classes[0] ?? notYet], text).toBe(wanted);
  }
});

test("sizes, budgets and knobs that are none are refused", async () => {
  const { f } = await sceneOf(planes.ridge.create());
  const options = {
    code: basinCode(f),
    knobs: { rho: 1 },
    view: planes.ridge.create().plane.domain,
    columns: 8,
    rows: 8,
    steps: 10,
    rate: 0.1,
  };
  expect(() => last(basinMap({ ...options, rows: 0 }))).toThrow(
    "invalid rows: 0 (give a whole number, 1 or more)",
  );
  expect(() => last(basinMap({ ...options, steps: 1.5 }))).toThrow(
    "invalid steps: 1.5 (give a whole number, 1 or more)",
  );
  expect(() => last(basinMap({ ...options, knobs: {} }))).toThrow(
    "missing knob: rho (give a number)",
  );
  expect(() => mergeBasins([])).toThrow("missing maps: give one or more");
});
