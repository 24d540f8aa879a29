import { expect, test } from "vitest";
import { run } from "../../../test/sam/run.ts";
import { quadratic } from "../../problems/planes/index.ts";
import { createMethod } from "../registry.ts";
import { sgd } from "./outer.ts";

test("an ascent over roles that a problem lacks is refused, with those that it has", async () => {
  const problem = quadratic({ separate: true });
  const steps = 1;
  const over = (roles: string) =>
    run({ problem, method: createMethod("sam-on", { roles }, sgd()), steps });
  await expect(over("bias")).rejects.toThrow(
    "invalid roles: bias (choose from weight, norm, which this problem has)",
  );
  const plain = {
    problem: quadratic(),
    method: createMethod("sam-on", { roles: "bias,norm" }, sgd()),
  };
  await expect(run({ ...plain, steps })).rejects.toThrow(
    "invalid roles: bias, norm (choose from weight, which this problem has)",
  );
  expect((await over("bias,norm")).ascentPoints[0]).toEqual([1, expect.closeTo(1.5, 12)]);
});

test("LookSAM says in which steps it looked", async () => {
  const method = createMethod("looksam", { every: 3 }, sgd());
  const { detail } = await run({ problem: quadratic(), method, steps: 7 });
  expect(detail("refreshed")).toEqual([1, 0, 0, 1, 0, 0, 1]);
});
