import { expect, test } from "vitest";
import { tensor } from "../../engine/tensor.ts";
import { planes } from "../../problems/planes/index.ts";
import { certify } from "./certify.ts";
import { describeCertificate } from "./report.ts";

const report = async (name: keyof typeof planes, rho: number, x: [number, number]) =>
  describeCertificate(
    await certify({
      problem: planes[name].create(),
      point: { x: tensor(x, [2], "float64") },
      rho,
      steps: 300,
    }),
  );

test("the verdict first, every number with its meaning, the tolerances last", async () => {
  const text = await report("cosine", 4, [2 * Math.PI - 4, 0]);
  expect(text).toMatch(/^hallucinated-minimizer\n {2}SAM sees a minimizer that is not there/);
  expect(text).toMatch(/\nattracting: yes\n {2}SAM is drawn in/);
  expect(text).toMatch(/\n {2}‖x⁺ − x‖ +4 +must be rho = 4\n/);
  expect(text).toMatch(/\n {2}Re spectrum of H⁺M +1 … 6\.2854 +whole spectrum\n/);
  expect(text).toMatch(/\n {2}random 3 +returned +distance 0\.004 became /);
  expect(text).toMatch(/Tolerances: zeroGradient 0\.000001/);
  expect(text.split("\n").every((line) => line.length <= 110)).toBe(true);
});

test("where the gradient vanishes, what rests on its direction is not defined", async () => {
  const text = await report("rosenbrock", 1, [1, 1]);
  expect(text).toMatch(/^minimizer\n/);
  expect(text).toMatch(/Re spectrum of H⁺M +not defined … not defined/);
  expect(text).toMatch(/max stable rate +not defined/);
  expect(text).not.toMatch(/NaN|null|undefined|perturbed copies/);
});
