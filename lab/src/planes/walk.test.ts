/** Walks and words: where methods go by generated code, and what is said of it. */
import { planes, type Point } from "lucid-sam/problems";
import { parseSpec } from "lucid-sam/run";
import { afterAll, expect, test } from "vitest";
import { runCode } from "./code.ts";
import { startPlaneWorker } from "./plane-client.ts";
import { presets } from "./presets.ts";
import { duration, momentAt, momentOf, network, stations } from "./story.ts";
import { entryAt, knobValues, pointAt, standAt, walk, type See } from "./walk.ts";
import { nameOf, say, verdictSentence } from "./words.ts";
import { parseAddress } from "../address.ts";

const client = startPlaneWorker();
afterAll(() => client.cancel());

async function sceneOf(problem: string) {
  const code = await client.scene(parseSpec({ problem, method: "sam", rho: 1 }));
  return { ...code, see: (await runCode(code.javaScript)) as See };
}

/** SAM by hand, from the closed forms. */
function byHand(name: keyof typeof planes, [a, b]: Point, rho: number, lr: number, steps: number) {
  const { plane } = planes[name].create();
  const path: Point[] = [[a, b]];
  for (let k = 0; k < steps; k++) {
    const [g1, g2] = plane.gradient([a, b]);
    const norm = Math.hypot(g1, g2);
    const [v1, v2] = plane.gradient([a + (rho * g1) / norm, b + (rho * g2) / norm]);
    a -= lr * v1;
    b -= lr * v2;
    path.push([a, b]);
  }
  return path;
}

test("SAM walks as the closed forms say, step by step", async () => {
  const scene = await sceneOf("ridge");
  const knobs = knobValues(scene, { rho: 1.6 });
  const course = walk([{ see: scene.see, knobs, until: Infinity }], [-0.25, 0.75], 0.02, 300);
  const wanted = byHand("ridge", [-0.25, 0.75], 1.6, 0.02, 300);
  expect(course.count).toBe(301);
  for (const [k, [x1, x2]] of wanted.entries()) {
    expect(Math.abs((course.x1[k] ?? NaN) - x1)).toBeLessThan(1e-12);
    expect(Math.abs((course.x2[k] ?? NaN) - x2)).toBeLessThan(1e-12);
  }
});

/** What becomes of every preset: of the method itself, and of the run that descends first. */
const ends: { readonly [preset: string]: readonly [sam: string, switched?: string] } = {
  "Stopped on a slope": ["SAM stopped here. The slope is 1.4. It believes it is 0."],
  "Saved by the switch": [
    "SAM stopped here. The slope is 0.32. It believes it is 0.",
    "SAM goes to and fro beside a minimizer. It looks 2.5 uphill, and the slope there, 2.6, never vanishes.",
  ],
  "Not saved by the switch": [
    "SAM stopped here. The slope is 1.4. It believes it is 0.",
    "SAM stopped here. The slope is 1.4. It believes it is 0.",
  ],
  "The next basin's minimizer": ["SAM stopped here. The slope is 0.76. It believes it is 0."],
  "Chatter on the ridge": ["SAM is still on its way after 300 steps. The slope is 0.16."],
  "Out of bounds": [
    "SAM has left all bounds: its steps grow. A smaller ρ or learning rate η would hold it.",
  ],
  "A saddle holds it": [
    "SAM goes to and fro around a saddle. It looks 1 uphill, across it, and is sent back.",
  ],
  "It works": [
    "SAM goes to and fro beside a minimizer. It looks 0.05 uphill, and the slope there, 7, never vanishes.",
  ],
};

test.each(presets)("$name: the preset shows what it says", async ({ name, spec, fields }) => {
  const full = parseSpec(spec);
  const scene = await sceneOf(full.problem);
  const { plane } = planes[full.problem as keyof typeof planes].create();
  const rho = Number(full.rho);
  const sam = { see: scene.see, knobs: knobValues(scene, { rho }), until: Infinity };
  const descent = {
    see: scene.see,
    knobs: knobValues(scene, { rho: 0 }),
    until: fields?.turn ?? 0,
  };
  const said = (descends: boolean) => {
    const course = walk(
      descends ? [descent, sam] : [sam],
      (full["start"] as Point | undefined) ?? plane.start,
      full.lr,
      full.steps,
    );
    const k = entryAt(course, full.steps);
    const stand = standAt(course, k, plane, rho);
    return verdictSentence(nameOf("sam"), course, k, stand, { rho, steps: full.steps });
  };
  expect([said(false), ...(fields?.turn ? [said(true)] : [])]).toEqual(ends[name]);
});

test("a run whose steps are lost in rounding is on its way, not to and fro", async () => {
  const scene = await sceneOf("ridge");
  const { plane } = planes.ridge.create();
  const sam = { see: scene.see, knobs: knobValues(scene, { rho: 1.6 }), until: Infinity };
  const stands = [1e-300, 1e-3].map((rate) => {
    const course = walk([sam], [-0.25, 0.75], rate, 60);
    return standAt(course, 60, plane, 1.6).kind;
  });
  expect(stands).toEqual(["moving", "moving"]);
});

test("a run that leaves all bounds ends there, and descent first turns at its step", async () => {
  const scene = await sceneOf("ridge");
  const stretch = (rho: number, until: number) => ({
    see: scene.see,
    knobs: knobValues(scene, { rho }),
    until,
  });
  const lost = walk([stretch(1.6, Infinity)], [-1.4, 1.2], 0.1, 100);
  expect(lost.left).toBe("bounds");
  expect(lost.count).toBeLessThan(20);
  const turned = walk([stretch(0, 7), stretch(1.6, Infinity)], [-0.25, 0.75], 0.02, 20);
  const distances = Array.from({ length: 20 }, (_, k) =>
    Math.hypot(
      (turned.ahead1[k] ?? NaN) - (turned.x1[k] ?? NaN),
      (turned.ahead2[k] ?? NaN) - (turned.x2[k] ?? NaN),
    ),
  );
  for (const [k, distance] of distances.entries()) expect(distance).toBeCloseTo(k < 7 ? 0 : 1.6, 9);
});

test("the points that SAM hallucinates are found, and one is followed through ρ", async () => {
  const spec = parseSpec({ problem: "cosine", rho: 4 });
  const found = await client.search(spec);
  const stopped = found.find(({ point: [x1] }) => Math.abs(x1 - (2 * Math.PI - 4)) < 1e-6);
  expect(stopped).toMatchObject({ kind: "hallucinated-minimizer" });
  const branch = await client.follow(spec, [2.28, 0.01]);
  // From x₁ = 2π − ρ on the axis: sin x₁ > 0, for ρ from π to 2π.
  expect(branch.points.length).toBeGreaterThan(20);
  for (const { x, rho } of branch.points) expect(x[0]).toBeCloseTo(2 * Math.PI - rho, 6);
  expect(branch.interval[0]).toBeGreaterThan(Math.PI - 1e-3);
  expect(branch.interval[1]).toBeLessThan(2 * Math.PI + 1e-3);
  await expect(client.follow(spec, [0.3, 0.2])).rejects.toThrow(
    /^missing hallucinated point: none is near \(0\.300, 0\.200\) at ρ = 4/,
  );
});

test("a typed function is traced, searched and walked as well", async () => {
  const spec = parseSpec({
    problem: "expression",
    f: "-cos(x1)+x2^2/2",
    range: "-2,8,-2,2",
    rho: 4,
  });
  const code = await client.scene(spec);
  const see = (await runCode(code.javaScript)) as See;
  const course = walk(
    [{ see, knobs: knobValues(code, { rho: 4 }), until: Infinity }],
    [2, 0.5],
    0.1,
    400,
  );
  const [x1] = pointAt(course, 400);
  expect(x1).toBeCloseTo(2 * Math.PI - 4, 8);
  const found = await client.search(spec);
  expect(found.some(({ point }) => Math.abs(point[0] - x1) < 1e-6)).toBe(true);
});

test("the screen warns of what the walk shows, and methods with memory say that they have it", async () => {
  const scene = await sceneOf("ridge");
  const course = walk(
    [{ see: scene.see, knobs: knobValues(scene, { rho: 1.6 }), until: Infinity }],
    [-0.25, 0.75],
    0.02,
    300,
  );
  expect(await client.screen(course)).toMatchObject({ kind: "hallucination-ahead" });
  const remembering = parseSpec({ problem: "ridge", method: "vasso", rho: 1 });
  await expect(client.scene(remembering)).rejects.toMatchObject({ name: "InputError" });
  const decaying = parseSpec({ problem: "ridge", method: "decaying-sam", rho: 1 });
  expect(await client.scene(decaying)).toMatchObject({ isScheduled: true });
});

test("numbers are said as people say them", () => {
  const cases: readonly (readonly [number, string])[] = [
    [1.4421, "1.4"],
    [0.00046, "0.00046"],
    [3.1e-7, "3.1·10⁻⁷"],
    [1e-12, "10⁻¹²"],
    [-0.5, "−0.5"],
    [0, "0"],
    [1234567, "1.2·10⁶"],
    [NaN, "no number"],
  ];
  for (const [value, words] of cases) expect(say(value)).toBe(words);
});

test("the story takes 60 seconds, in order, and hands over to a network", () => {
  expect(duration).toBe(60);
  const moments = Array.from({ length: 601 }, (_, i) => momentAt(i / 10));
  const indices = moments.map(({ index }) => index);
  expect(indices).toEqual(indices.toSorted((a, b) => a - b));
  expect(new Set(indices).size).toBe(stations.length);
  expect(moments.at(-1)).toEqual(momentOf(stations.length - 1, 1));
  for (const [index, { rho, walked, steps }] of stations.entries()) {
    expect(momentOf(index, 1)).toMatchObject({ rho: rho[1], step: walked[1] * steps });
  }
  expect(parseAddress(network)).toMatchObject({
    view: "networks",
    spec: { problem: "regression", rho: 2, switch: 0.1, steps: 45000 },
  });
});

test("captions of the story say the numbers of its scenes", async () => {
  const said: string[] = [];
  for (const [index, station] of stations.entries()) {
    const { problem, start, lr, steps, rho, turn = 0 } = station;
    const scene = await sceneOf(problem);
    const { plane } = planes[problem].create();
    const { step } = momentOf(index, 1);
    const course = walk(
      [{ see: scene.see, knobs: knobValues(scene, { rho: rho[1] }), until: Infinity }],
      start,
      lr,
      steps,
    );
    const k = entryAt(course, step);
    const stand = standAt(course, k, plane, Math.max(0.1, rho[1]));
    said.push(`${stand.kind} ${say(course.gradNorm[k] ?? NaN)}`);
    expect(turn).toBe(problem === "wide-narrow" ? 100 : 0);
  }
  expect(said).toEqual([
    "moving 0.89",
    "slowing 1.4",
    "stopped 1.4",
    "stopped 1.4",
    expect.stringMatching(/^minimizer /),
    "stopped 0.32",
    "stopped 0.32",
  ]);
});
