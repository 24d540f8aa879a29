import { describe, expect, test } from "vitest";
import { cosine, quadratic } from "../../problems/planes/index.ts";
import type { Problem } from "../../problems/problem.ts";
import { guarded, untilSafe } from "./guard.ts";
import { gsam } from "./gsam.ts";
import type { Method } from "../contract/method.ts";
import { sgd } from "../parts/outer.ts";
import { sparseSam } from "./sparse-sam.ts";
import { friendlySam, vasso } from "./smoothed.ts";
import { saf } from "./trajectory.ts";
import { gradientDescent, sam } from "./sam.ts";
import { switching } from "./switching.ts";
import type { Records } from "../training/records.ts";
import { compileTraining } from "../training/training.ts";
import { run as runPoints } from "../../../test/sam/run.ts";

const outer = sgd({ learningRate: 0.1 });

async function run(
  problem: Problem,
  method: Method,
  steps: number,
  batchSize: number | "full" = "full",
) {
  const training = await compileTraining({ problem, method, engine: "native", batchSize });
  const chunks: Records[] = [];
  await training.run({ steps, onRecords: (records) => void chunks.push(records) });
  await training.dispose();
  return {
    column: (name: "evaluations" | "gradNorm" | "shiftedGradNorm" | "loss") =>
      chunks.flatMap((chunk) => [...chunk[name]]),
    detail: (name: string) => chunks.flatMap(({ details }) => [...(details[name] ?? [])]),
  };
}

describe("guarded", () => {
  test("reaches a minimizer where SAM comes to rest beside one", async () => {
    const stalled = await run(cosine(), sam({ rho: 4, outer }), 600);
    expect(stalled.column("gradNorm").at(-1)).toBeGreaterThan(0.7);
    const kept = await run(cosine(), guarded({ method: sam({ rho: 4, outer }) }), 600);
    expect(kept.column("gradNorm").at(-1)).toBeLessThan(1e-6);
    expect(kept.column("loss").at(-1)).toBeCloseTo(-1, 10);
    expect(Math.max(...kept.detail("intervened"))).toBe(1);
  });

  test("with shrink keeps the radius below the basin's half width", async () => {
    const method = guarded({ method: sam({ rho: 4, outer }), respond: "shrink" });
    const { column, detail } = await run(cosine(), method, 600);
    expect(Math.min(...detail("shrunk"))).toBeLessThan(Math.PI / 4);
    expect(column("loss").at(-1)).toBeLessThan(-0.99);
    expect(new Set(column("evaluations"))).toEqual(new Set([2]));
  });

  test("costs nothing while all is well, and one look in k steps otherwise", async () => {
    const well = await run(quadratic(), guarded({ method: sam({ rho: 0.1, outer: sgd() }) }), 12);
    expect(new Set(well.column("evaluations"))).toEqual(new Set([2]));
    expect(new Set(well.detail("intervened"))).toEqual(new Set([0]));
    // A rule that nothing satisfies, from the first step on.
    const method = guarded({ method: sam({ rho: 4, outer }), act: 2, resume: 2, every: 4 });
    const { column, detail } = await run(cosine(), method, 9);
    expect(column("evaluations")).toEqual([2, 1, 1, 1, 2, 1, 1, 1, 2]);
    expect(detail("intervened")).toEqual(Array.from({ length: 9 }, () => 1));
  });

  test("is not blinded by a batch without gradient", async () => {
    // From x₁ = 0 the sample f₁ = x₁² has none.
    const method = guarded({ method: sam({ rho: 0.1, outer: sgd() }) });
    const { detail, column } = await run(quadratic({ start: [0, 1] }), method, 8, 1);
    expect(column("gradNorm")).toContain(0);
    expect([detail("averageCosine"), detail("averageGradRatio")].map((d) => d.length)).toEqual([
      8, 8,
    ]);
    expect(detail("averageCosine").every(Number.isFinite)).toBe(true);
    expect(detail("averageGradRatio").every(Number.isFinite)).toBe(true);
  });

  test("refuses thresholds that contradict, and shrinking where there is no ρ", () => {
    const method = sam({ outer });
    expect(() => guarded({ method, act: 0.9, resume: 0.1 })).toThrow(/^invalid act: 0.9/);
    expect(() => guarded({ method: saf({ outer }), respond: "shrink" })).toThrow(
      "invalid respond: shrink (saf has no ρ; give plain)",
    );
  });
});

describe("a guard around a method with memory", () => {
  const momentum = sgd({ learningRate: 0.02, momentum: 0.9 });
  const wrapped = {
    "f-sam": friendlySam({ rho: 0.1, sigma: 0.5, lambda: 0.5, outer: momentum }),
    vasso: vasso({ rho: 0.1, theta: 0.3, outer: momentum }),
    // It draws its masks.
    "sparse-sam": sparseSam({ rho: 0.1, every: 2, samples: 1, outer: momentum }),
  };
  const names = Object.keys(wrapped) as (keyof typeof wrapped)[];

  test.each(names.flatMap((name) => [[name, "plain"] as const, [name, "shrink"] as const]))(
    "%s, %s: leaves its steps as they are while all is well",
    async (name, respond) => {
      const own = wrapped[name];
      const under = guarded({ method: own, act: -1e9, resume: -1e9, respond });
      const watch = (method: Method) => runPoints({ problem: quadratic(), method, steps: 8 });
      const [bare, kept] = [await watch(own), await watch(under)];
      expect(kept.points).toEqual(bare.points);
      expect(kept.ascentPoints).toEqual(bare.ascentPoints);
      expect(bare.ascentPoints).toHaveLength(8);
    },
  );

  test("it draws where the method does, and only there", () => {
    for (const respond of ["plain", "shrink"] as const) {
      const random = (method: Method) => guarded({ method, respond }).random;
      expect([random(wrapped["sparse-sam"]), random(wrapped.vasso)]).toEqual([true, undefined]);
    }
  });

  test("what it remembers is what its looks saw, and no other gradient", async () => {
    const [every, rho, theta, rate] = [3, 0.1, 0.3, 0.02];
    const inner = vasso({ rho, theta, outer: sgd({ learningRate: rate }) });
    const method = guarded({ method: inner, act: 2, resume: 2, every });
    const steps = 8;
    const { ascentPoints } = await runPoints({ problem: quadratic(), method, steps });
    let x = [1, 1];
    let d: number[] | undefined;
    for (let t = 0; t < steps; t++) {
      const g = [x[0] ?? NaN, 10 * (x[1] ?? NaN)];
      let wanted = x;
      if (t % every === 0) {
        d = g.map((value, i) => (d ? (1 - theta) * (d[i] ?? NaN) + theta * value : value));
        const length = Math.hypot(...d);
        wanted = x.map((value, i) => value + (rho * (d?.[i] ?? NaN)) / length);
      }
      expect(ascentPoints[t], `step ${t}`).toEqual(wanted.map((v) => expect.closeTo(v, 12)));
      x = x.map((value, i) => value - rate * (g[i] ?? NaN));
    }
  });
});

describe("switching by rule", () => {
  test("switches at once where f is convex, and stays", async () => {
    const method = switching({ to: sam({ rho: 0.1, outer: sgd() }), when: {} });
    const { column, detail } = await run(quadratic(), method, 6);
    expect(column("evaluations")).toEqual([2, 2, 2, 2, 2, 2]);
    expect(detail("intervened")).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("waits where the ascent leads over a ridge", async () => {
    const { column, detail } = await run(cosine(), untilSafe({ to: sam({ rho: 4, outer }) }), 40);
    expect(detail("intervened").slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 1));
    expect(column("evaluations").slice(0, 11)).toEqual([2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
  });
});

test("switching: what only one method reports is missing while the other runs", async () => {
  const method = switching({ from: gradientDescent({ outer }), to: gsam({ outer }), at: 0.5 });
  const { detail } = await run(quadratic(), method, 4);
  const across = detail("acrossNorm");
  expect(across.slice(0, 2)).toEqual([NaN, NaN]);
  expect(across).toHaveLength(4);
  expect(across.slice(2).every(Number.isFinite)).toBe(true);
});
