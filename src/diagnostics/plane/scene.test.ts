import { describe, expect, test } from "vitest";
import { ascentPoint, norm } from "../../../test/shifted.ts";
import { compileScalar, pickOutputs } from "../../engine/index.ts";
import { planes, ridge, quadratic } from "../../problems/planes/index.ts";
import type { Point } from "../../problems/problem.ts";
import { createMethod, methods } from "../../sam/registry.ts";
import { sgd } from "../../sam/parts/outer.ts";
import { compileDerivatives } from "../point/derivatives.ts";
import { compileDirection } from "../point/direction.ts";
import { traceScene } from "./scene.ts";

/** Seeded points of a domain: fractions of the golden ratio and √2. */
const pointsIn = ([[left, right], [bottom, top]]: readonly [Point, Point], count: number) =>
  Array.from({ length: count }, (_, i): Point => [
    left + (right - left) * (((i + 1) * 0.6180339887498949) % 1),
    bottom + (top - bottom) * (((i + 1) * 0.41421356237309515) % 1),
  ]);

/** Differences in units of the last place of the largest value among those expected. */
function worstUlps(given: readonly (readonly number[])[], wanted: readonly (readonly number[])[]) {
  const size = Math.max(...wanted.flat().map(Math.abs));
  expect(size).toBeGreaterThan(0);
  const gaps = given.flatMap((row, i) => row.map((v, j) => Math.abs(v - (wanted[i]?.[j] ?? NaN))));
  expect(gaps.length).toBeGreaterThan(0);
  return Math.max(...gaps) / (size * 2 ** -52);
}

const outputs = {
  loss: ["loss"],
  gradient: ["gradient1", "gradient2"],
  gradNorm: ["gradNorm"],
  hessian: ["hessian1", "hessian2", "hessian4"],
  ascentPoint: ["ascentPoint1", "ascentPoint2"],
  shiftedLoss: ["shiftedLoss"],
  shiftedGradient: ["shiftedGradient1", "shiftedGradient2"],
  shiftedGradNorm: ["shiftedGradNorm"],
  direction: ["direction1", "direction2"],
  directionNorm: ["directionNorm"],
};

for (const { name, create } of Object.values(planes)) {
  describe(name, () => {
    const problem = create();
    const { plane } = problem;
    const points = pointsIn(plane.domain, 300);

    test("SAM's scene agrees with the closed forms, at several radii", async () => {
      const { f, knobs } = await traceScene({
        problem,
        method: (outer) => createMethod("sam", { rho: 0.7 }, outer),
      });
      expect(knobs).toEqual({ rho: 0.7 });
      const run = compileScalar(pickOutputs(f, Object.values(outputs).flat()));
      for (const rho of [0, 0.7, 1.6]) {
        const rows = points.map((x) => run(...x, rho));
        let from = 0;
        for (const [what, names] of Object.entries(outputs)) {
          const given = rows.map((row) => row.slice(from, from + names.length));
          from += names.length;
          const wanted = points.map((x): readonly number[] => {
            const at = ascentPoint(plane, x, rho);
            const [[a, b], [, d]] = plane.hessian(x);
            const values: { readonly [what: string]: readonly number[] } = {
              loss: [plane.value(x)],
              gradient: plane.gradient(x),
              gradNorm: [norm(plane.gradient(x))],
              hessian: [a, b, d],
              ascentPoint: at,
              shiftedLoss: [plane.value(at)],
              shiftedGradient: plane.gradient(at),
              shiftedGradNorm: [norm(plane.gradient(at))],
              direction: plane.gradient(at),
              directionNorm: [norm(plane.gradient(at))],
            };
            return values[what] as readonly number[];
          });
          expect(worstUlps(given, wanted), `${what} at ρ = ${rho}`).toBeLessThan(16);
        }
      }
    });

    test("loss and gradient are the engines', within a few units of the last place", async () => {
      const { f } = await traceScene({ problem, method: (outer) => createMethod("gd", {}, outer) });
      const run = compileScalar(pickOutputs(f, ["loss", "gradient1", "gradient2"]));
      for (const [engine, count] of [
        ["native", 100],
        ["jax", 10],
      ] as const) {
        const derivatives = await compileDerivatives(problem, { engine });
        const some = points.slice(0, count);
        const wanted: number[][] = [];
        for (const x of some) {
          const { loss, gradient } = await derivatives.lossAndGradient(Float64Array.from(x));
          wanted.push([loss, ...gradient]);
        }
        await derivatives.dispose();
        expect(
          worstUlps(
            some.map((x) => run(...x)),
            wanted,
          ),
          engine,
        ).toBeLessThan(8);
      }
    });
  });
}

test("the direction of every method that moves along a field is the one its own compiled step takes", async () => {
  const followed: string[] = [];
  const refused: string[] = [];
  for (const { name } of methods) {
    // Roles of normalization layers are those of this plane alone.
    const problem = name === "sam-on" ? quadratic({ separate: true }) : ridge();
    const settings = name === "gd" || name === "auto-switching" ? {} : { rho: 0.4 };
    let scene;
    try {
      scene = await traceScene({ problem, method: (o) => createMethod(name, settings, o) });
    } catch (error) {
      expect(String(error), name).toMatch(
        /^InputError: (invalid method: |missing outputs: |unknown setting)/,
      );
      refused.push(name);
      continue;
    }
    const { f, knobs } = scene;
    const run = compileScalar(
      pickOutputs(f, ["direction1", "direction2", "ascentPoint1", "ascentPoint2"]),
    );
    const direction = await compileDirection(
      problem,
      createMethod(name, settings, sgd({ learningRate: 0.1 })),
      { engine: "native" },
    );
    const points = pointsIn(ridge().plane.domain, 60);
    const wanted: number[][] = [];
    for (const x of points) {
      const at = await direction.at(Float64Array.from(x));
      wanted.push([...at.direction, ...at.ascentPoint]);
    }
    await direction.dispose();
    const given = points.map((x) => run(...x, ...Object.values(knobs)));
    expect(worstUlps(given, wanted), name).toBeLessThan(64);
    followed.push(name);
  }
  expect(followed.length).toBeGreaterThan(10);
  expect(followed).toContain("asam");
  expect(refused).toContain("vasso");
});
