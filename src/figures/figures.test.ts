import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { verdicts, type VerdictName } from "../diagnostics/verdict.ts";
import { randomStream } from "../engine/random.ts";
import { digits } from "../problems/datasets/digits.ts";
import { ridge } from "../problems/planes/index.ts";
import type { Point } from "../problems/problem.ts";
import { parseSpec } from "../run/spec.ts";
import { basinEnds } from "../diagnostics/plane/basins.ts";
import { basinClasses, cellPaths } from "./basins.ts";
import { ascentPoint } from "./field.ts";
import { sheet, tiles } from "./figure.ts";
import { finalLossFigure } from "./final.ts";
import { contactSheet } from "./images.ts";
import { verdictMarks } from "./marks.ts";
import { figure5, figure8 } from "./paper.ts";
import { planeFigure } from "./plane.ts";
import { figures, figuresFor, type FigureData } from "./registry.ts";
import { renderPng, renderSvg } from "./render.ts";
import { thinned, verdictOf, type FigureRun } from "./runs.ts";
import { logTicks } from "./scales.ts";
import { gradRatioFigure, lossFigure } from "./trajectories.ts";

/** A run that never happened, of 9 rows. */
function madeUp(rho: number, at: number | undefined, seed: number, name: VerdictName): FigureRun {
  const random = randomStream(seed, "figures", rho, at ?? 0);
  const stalls = name !== "descending";
  const rows = Array.from({ length: 9 }, (_, i) => {
    const loss = (stalls ? 2.3 : 2.3 * Math.exp(-0.6 * i)) * random.uniform(0.9, 1);
    const gradNorm = random.uniform(0.05, 0.1);
    return {
      step: 100 * i,
      loss,
      shiftedLoss: loss,
      gradNorm,
      shiftedGradNorm: gradNorm * (stalls ? Math.exp(-0.6 * i) : random.uniform(1, 2)),
      cosine: 0,
    };
  });
  const { loss } = rows.at(-1) as (typeof rows)[number];
  return {
    result: {
      spec: parseSpec({ rho, seed, steps: 800, ...(at !== undefined && { switch: at }) }),
      final: {
        step: 800,
        loss: name === "diverged" ? null : loss,
        shiftedLoss: loss,
        gradNorm: 0.1,
        shiftedGradNorm: 0.1,
        gradRatio: 1,
        lossGap: 0,
        cosine: 0,
        trainAccuracy: stalls ? 0.1 : 1,
        testAccuracy: stalls ? 0.1 : random.uniform(0.8, 0.9),
        point: null,
      },
      relativeRho: rho / (7 + seed),
      verdict: {
        name,
        sentence: verdicts[name],
        basis: "screen",
        numbers: {},
        tolerances: {},
        dtype: "float32",
        engine: "native",
      },
    },
    rows,
  };
}

const runs = [0, 1, 2].flatMap((seed) => [
  madeUp(1, undefined, seed, "descending"),
  madeUp(2, undefined, seed, seed === 1 ? "trapped-at-saddle" : "hallucinated-point"),
  madeUp(8, undefined, seed, seed === 1 ? "diverged" : "oscillating"),
  madeUp(1, 0.1, seed, "descending"),
  madeUp(2, 0.1, seed, "descending"),
  madeUp(8, 0.1, seed, "hallucinated-saddle"),
]);

const { plane } = ridge();
const ridgePoints: Point[] = Array.from({ length: 11 }, (_, i) => [-0.1 - 0.05 * i, 0.9]);

/** What figures are drawn from, of each kind. */
const samples: FigureData = {
  runs,
  plane: {
    title: "ridge",
    plane,
    rho: 1.6,
    paths: [
      {
        name: "SAM",
        rows: ridgePoints.map((point) => ({ point, ascentPoint: ascentPoint(plane, point, 1.6) })),
        verdict: "hallucinated-minimizer",
      },
    ],
    view: [
      [-1.2, 1.2],
      [-0.3, 1.2],
    ],
    spacing: 16,
  },
  // −cos from 2π − 4, where SAM with ρ = 4 sees the minimum at 2π.
  profile: {
    profile: {
      rho: 4,
      relativeRho: 4 / (2 * Math.PI - 4),
      points: Array.from({ length: 81 }, (_, i) => {
        const distance = i / 10 - 2;
        return { distance, loss: -Math.cos(distance - 4) };
      }),
      loss: -Math.cos(4),
      shiftedLoss: -1,
      slope: -Math.sin(4),
      shiftedSlope: 0,
    },
    verdict: "hallucinated-minimizer",
  },
  images: { images: digits({ train: 20, size: 8 }).train, title: "digits", columns: 10, rows: 2 },
};

/** Stored pictures that are not called as their figure is. */
const storedAs: { readonly [name: string]: string } = {
  "5": "figure-5",
  "8": "figure-8",
  plane: "ridge",
  images: "digits",
};

const entries = figures.map((entry) => [entry.name, entry] as const);

// A difference leaves NAME-changed.svg beside NAME.svg: look at both, then keep the right one.
test.each(entries)("%s is drawn as stored", async (name, entry) => {
  const stored = storedAs[name] ?? name;
  const place = (suffix: string) =>
    fileURLToPath(new URL(`../../test/figures/${stored}${suffix}.svg`, import.meta.url));
  const drawn = renderSvg(await entry.draw(samples[entry.needs]));
  const same = existsSync(place("")) && readFileSync(place(""), "utf8") === drawn;
  if (same) rmSync(place("-changed"), { force: true });
  else writeFileSync(place("-changed"), drawn);
  expect(same, `test/figures/${stored}.svg differs from ${stored}-changed.svg`).toBe(true);
});

test("every stored picture is that of a figure, and no two figures share a name", () => {
  const names = figures.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  const pictures = readdirSync(new URL("../../test/figures", import.meta.url));
  expect(pictures.filter((file) => !file.endsWith("-changed.svg")).toSorted()).toEqual(
    names.map((name) => `${storedAs[name] ?? name}.svg`).toSorted(),
  );
});

test.each(entries)("%s has numbers behind it", (_, entry) => {
  expect(entry.numbers(samples[entry.needs])).not.toEqual([]);
});

test("the numbers of figures of runs are one object per step or run, which says of which", () => {
  const [run] = runs as [FigureRun];
  const [{ gradNorm, shiftedGradNorm, loss }] = run.rows as [FigureRun["rows"][number]];
  const place = { method: "sam", switch: null, rho: 1, relativeRho: 1 / 7, seed: 0 };
  const verdict = "descending";
  const { loss: finalLoss, testAccuracy } = run.result.final;
  const first = {
    "5": { ...place, step: 0, loss, verdict },
    "8": { ...place, loss: finalLoss, testAccuracy, verdict },
    loss: { ...place, step: 0, loss, verdict },
    "grad-ratio": { ...place, step: 0, gradRatio: shiftedGradNorm / gradNorm, verdict },
    "final-loss": { ...place, loss: finalLoss, verdict },
  };
  const found = figuresFor("runs").map((entry) => [entry.name, entry.numbers(runs)[0]]);
  expect(Object.fromEntries(found)).toMatchObject(first);
  const counts = figuresFor("runs").map((entry) => [entry.name, entry.numbers(runs).length]);
  expect(Object.fromEntries(counts)).toMatchObject({ "5": 18 * 9, "8": 18, "final-loss": 18 });
});

test("no panel of figures 5 and 8 is empty: descent has no radius, some problems have no accuracy", () => {
  const [first] = runs as [FigureRun];
  const { result } = first;
  const descent = { ...first, result: { ...result, spec: { method: "gd", seed: 0 } } } as FigureRun;
  const panels = (drawn: string, label: string) => drawn.split(`↑ ${label}`).length - 1;
  // Two methods at three radii, and descent.
  expect(panels(renderSvg(figure5([...runs, descent])), "loss f(x)")).toBe(7);
  // With one radius for each, methods stand side by side.
  const one = renderSvg(figure5([...runs.filter(({ result }) => result.spec.rho === 2), descent]));
  expect(panels(one, "loss f(x)")).toBe(3);
  expect(Number(/height="(\d+)"/.exec(one)?.[1])).toBeLessThan(450);
  expect(panels(renderSvg(figure8(runs)), "test accuracy")).toBe(2);
  const without = runs.map((run) => ({
    ...run,
    result: { ...run.result, final: { ...run.result.final, testAccuracy: null } },
  }));
  expect(panels(renderSvg(figure8(without)), "test accuracy")).toBe(0);
  expect(panels(renderSvg(figure8(without)), "final loss")).toBe(2);
});

test("many methods stand in rows of at most three, and their titles do not meet", () => {
  for (const [count, rows, columns] of [
    [1, 1, 1],
    [3, 1, 3],
    [4, 2, 2],
    [14, 5, 3],
  ] as const) {
    const { at, width, height } = tiles(count, 860, 100);
    const places = Array.from({ length: count }, (_, i) => at(i));
    expect(new Set(places.map(({ x }) => x)).size).toBe(columns);
    expect(new Set(places.map(({ y }) => y)).size).toBe(rows);
    expect(width * columns).toBeCloseTo(860, 9);
    expect(height).toBe(100 * rows);
  }
});

test("over every ρ stands ρ/‖x₀‖, and nothing where it is not known", () => {
  const ticksOf = (drawn: string) => {
    const { document } = parseHTML(drawn);
    const axes = [...document.querySelectorAll('[aria-label="x-axis tick label"]')];
    return axes.map((axis) =>
      [...axis.querySelectorAll("text")].map((tick) => ({
        text: tick.textContent,
        x: tick.getAttribute("transform")?.split(",")[0],
      })),
    );
  };
  const [below = [], above = []] = ticksOf(renderSvg(finalLossFigure(runs)));
  expect(below.map(({ text }) => text)).toEqual(["1", "2", "8"]);
  // The median of three starts of norms 7, 8 and 9.
  expect(above.map(({ text }) => text)).toEqual(["0.13", "0.25", "1"]);
  expect(above.map(({ x }) => x)).toEqual(below.map(({ x }) => x));
  const unknown = runs.map((run) => ({
    ...run,
    result: { ...run.result, relativeRho: undefined },
  }));
  for (const draw of [finalLossFigure, figure5, figure8]) {
    expect(renderSvg(draw(runs))).toContain("ρ/‖x₀‖, median →");
    expect(renderSvg(draw(unknown))).not.toContain("‖x₀‖");
  }
});

test("every cell of a map of basins is drawn once, in the color of its end", () => {
  const [columns, rows] = [7, 5];
  const random = randomStream(0, "basins");
  const given = Uint8Array.from({ length: columns * rows }, () => Math.floor(random.uniform(0, 3)));
  const ways = [given, new Uint8Array(columns * rows).fill(4), given.map((_, i) => i % 2)];
  for (const classes of ways) {
    const drawn = Array.from(classes, (): number[] => []);
    cellPaths({ classes, columns, rows }).forEach((d, kind) => {
      for (const [, ...numbers] of d.matchAll(/M(\d+) (\d+)h(\d+)v(\d+)h-\d+z/g)) {
        const [x = NaN, y = NaN, width = NaN, height = NaN] = numbers.map(Number);
        for (let i = 0; i < width * height; i++) {
          const [column, down] = [x + (i % width), y + Math.floor(i / width)];
          drawn[(rows - 1 - down) * columns + column]?.push(kind);
        }
      }
    });
    expect(drawn).toEqual(Array.from(classes, (kind) => [kind]));
  }
});

test("a plane shows where runs end in place of what SAM sees, and its legend names the ends that occur", () => {
  expect(basinEnds.slice(0, -1)).toEqual(basinClasses.map(({ name }) => name));
  const classes = Uint8Array.from([0, 2, 2, 4]);
  const svg = renderSvg(
    planeFigure({
      title: "Basins",
      plane: ridge().plane,
      rho: 1.6,
      paths: [],
      right: { of: "basins", words: "Where SAM ends", cells: { classes, columns: 2, rows: 2 } },
    }),
  );
  const said = ["What SAM sees", "Where SAM ends", "at a minimizer", "out of bounds", "unsettled"];
  expect(said.map((words) => svg.includes(words))).toEqual([false, true, true, true, false]);
  const { document } = parseHTML(svg);
  // x₂ rises: the first row is the lower one.
  const shapes = Array.from(document.querySelectorAll("svg svg path"), (path) =>
    ["fill", "d"].map((name) => path.getAttribute(name)),
  );
  expect(shapes).toEqual([
    ["#9ecae1", "M0 1h1v1h-1z"],
    ["#8e0f43", "M1 1h1v1h-1zM0 0h1v1h-1z"],
    ["#1a1a1a", "M1 0h1v1h-1z"],
  ]);
});

test("a plane shows slopes in colors of their own, and whatever of points, branch and start is given", () => {
  const { plane } = ridge();
  const options = { title: "Slopes", plane, rho: 1.6, paths: [] };
  const slope = ([x1, x2]: Point) => Math.hypot(...plane.gradient([x1, x2]));
  const plain = renderSvg(planeFigure(options));
  const svg = renderSvg(
    planeFigure({
      ...options,
      right: { of: "slope", words: "‖g⁺‖, the slope", value: slope },
      hallucinated: [{ point: [0.6, 0], verdict: "hallucinated-minimizer" }],
      branch: {
        points: [
          { x: [0.2, 0], rho: 1 },
          { x: [0.6, 0], rho: 1.2 },
        ],
        folds: [{ x: [0.6, 0], rho: 1.2 }],
        here: [[0.4, 0]],
      },
      start: [-0.5, 1],
    }),
  );
  const said = [
    "‖g⁺‖, the slope",
    "hallucinated minimizer",
    "turns at ρ = 1.20",
    "followed in ρ",
    ">start<",
    // The lowest color of slopes.
    "rgb(178,140,188)",
  ];
  expect(said.map((words) => [plain, svg].map((text) => text.includes(words)))).toEqual(
    said.map(() => [false, true]),
  );
  // What SAM sees comes with arrows; a map has those of its own field, and none without.
  const arrows = (text: string) => text.split('aria-label="vector"').length - 1;
  expect([arrows(plain), arrows(svg)]).toEqual([1, 0]);
});

test("a contact sheet refuses images in color", () => {
  const color = { ...digits({ train: 1, size: 8 }).train, channels: 3 };
  expect(() => contactSheet(color, { title: "color" })).toThrow("invalid images: 3 channels");
});

test("a figure does not depend on what was drawn before", () => {
  expect(renderSvg(lossFigure(runs))).toBe(renderSvg(lossFigure(runs)));
});

test("a figure does not depend on the order in which runs finished", () => {
  const shuffled = runs.toReversed();
  for (const draw of [lossFigure, gradRatioFigure, figure5, figure8]) {
    expect(renderSvg(draw(shuffled))).toBe(renderSvg(draw(runs)));
  }
});

test("every verdict has words and a mark of its own", () => {
  const names = Object.keys(verdicts);
  expect(Object.keys(verdictMarks).sort()).toEqual(names.sort());
  const marks = Object.values(verdictMarks).map(({ symbol, hollow }) => `${symbol} ${hollow}`);
  expect(new Set(marks).size).toBe(names.length);
});

test("every run, seed and verdict is drawn", () => {
  const drawn = renderSvg(finalLossFigure(runs));
  const counted = (color: string) => drawn.split(`"${color}"`).length - 1;
  // One mark per run and one in the legend, each with its own color attribute.
  const verdictNames = new Set(runs.map(({ result }) => result.verdict.name));
  for (const name of verdictNames) {
    const { color, words } = verdictMarks[name];
    const sameColor = runs.filter(
      ({ result }) => verdictMarks[result.verdict.name].color === color,
    ).length;
    const legendEntries = [...verdictNames].filter(
      (other) => verdictMarks[other].color === color,
    ).length;
    expect(counted(color), name).toBe(sameColor + legendEntries);
    expect(drawn).toContain(words);
  }
});

test("the PNG has twice the size and is written in the bundled font", () => {
  const png = (title: string) =>
    renderPng(contactSheet(digits({ train: 1, size: 8 }).train, { title, columns: 5, rows: 1 }));
  const bytes = png("ρ = 2, ‖g⁺‖");
  expect(Buffer.from(bytes.subarray(1, 4)).toString()).toBe("PNG");
  expect(Buffer.from(bytes).readUInt32BE(16)).toBe(2 * 226);
  // Without a font both titles would be blank.
  expect(Buffer.compare(bytes, png("ρ = 3, ‖g⁺‖"))).not.toBe(0);
});

test("the bundled font has every character of the stored pictures", () => {
  const pictures = ["../../test/figures/", "../../docs/images/"].flatMap((folder) => {
    const names = readdirSync(new URL(folder, import.meta.url));
    const drawn = names.filter((name) => name.endsWith(".svg") && !name.includes("-changed"));
    return drawn.map((name) => readFileSync(new URL(folder + name, import.meta.url), "utf8"));
  });
  expect(pictures.length).toBeGreaterThan(8);
  const texts = pictures.flatMap((svg) => [...parseHTML(svg).document.querySelectorAll("text")]);
  const characters = new Set(texts.flatMap(({ textContent }) => Array.from(textContent)));
  const rare = [...characters].filter((character) => character > "~");
  const titled = (title: string) =>
    Buffer.from(renderPng(sheet({ width: 40, height: 40, title, panels: [] })));
  const isBlank = (character: string) => titled(character).equals(titled(" "));
  expect(rare).toContain("‖");
  expect(rare.filter(isBlank)).toEqual([]);
  // A raised T, which the font lacks.
  expect(isBlank("ᵀ")).toBe(true);
});

test("a certificate overrules the screen, unless it could not decide", () => {
  const [run] = runs as [FigureRun];
  const certified = (name: VerdictName) =>
    verdictOf({ ...run, result: { ...run.result, certificate: { verdict: { name } } } });
  expect(verdictOf(run)).toBe("descending");
  expect(certified("hallucinated-saddle")).toBe("hallucinated-saddle");
  expect(certified("inconclusive")).toBe("descending");
});

test("thinning keeps both ends and the order", () => {
  const rows = Array.from({ length: 1000 }, (_, i) => i);
  const few = thinned(rows, 7);
  expect(few).toHaveLength(7);
  expect([few[0], few[6]]).toEqual([0, 999]);
  expect(few).toEqual(few.toSorted((a, b) => a - b));
  expect(thinned(rows, 5000)).toBe(rows);
});

describe("ticks of a logarithmic axis", () => {
  test.each([
    [
      [1e-6, 1],
      [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1],
    ],
    [
      [0.004, 0.3],
      [0.005, 0.01, 0.02, 0.05, 0.1, 0.2],
    ],
    [
      [2.2, 5.8],
      [3, 4, 5],
    ],
    [
      [1.1, 1.86],
      [1.2, 1.4, 1.6, 1.8],
    ],
  ] as const)("from %j", (extent, ticks) => {
    expect(logTicks(extent)).toEqual(ticks);
  });
});
