import { describe, expect, test } from "vitest";
import { quadratic } from "../../src/problems/planes/index.ts";
import { sgd } from "../../src/sam/parts/outer.ts";
import { createMethod } from "../../src/sam/registry.ts";
import { run } from "./run.ts";
import { knownSteps } from "./tables.ts";

const engines = ["jax", "native"] as const;

describe.each(engines)("known steps on the quadratic, engine %s", (engine) => {
  test.each(knownSteps)(
    "$row",
    async ({ method, settings, step = 0, separate, seed, ...known }) => {
      const { points, ascentPoints } = await run({
        problem: quadratic({ separate: separate ?? false }),
        method: createMethod(method, settings, sgd({ learningRate: 0.02 })),
        steps: step + 1,
        engine,
        ...(seed !== undefined && { seed }),
      });
      for (const [found, expected] of [
        [ascentPoints[step], known.ascentPoint],
        [points[step + 1], known.next],
      ] as const) {
        expect(found?.map((x) => x.toFixed(10))).toEqual(expected.map((x) => x.toFixed(10)));
      }
    },
  );
});
