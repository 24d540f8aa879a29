import { expect, test } from "vitest";
import { tensor } from "../../engine/tensor.ts";
import { planes } from "../../problems/planes/index.ts";
import type { Method } from "../../sam/contract/method.ts";
import { sam } from "../../sam/methods/sam.ts";
import { sgd } from "../../sam/parts/outer.ts";
import { certify } from "./certify.ts";
import { describeCertificate } from "./report.ts";

const report = async (
  name: keyof typeof planes,
  rho: number,
  x: [number, number],
  method?: Method,
) =>
  describeCertificate(
    await certify({
      problem: planes[name].create(),
      point: { x: tensor(x, [2], "float64") },
      rho,
      method,
      steps: 300,
    }),
  );

test("what was certified first, then the verdict, every number with its meaning, the tolerances last", async () => {
  const text = await report("cosine", 4, [2 * Math.PI - 4, 0]);
  expect(text).toMatch(
    /^Certified: cosine, 2 parameters, loss 0\.65364 on 1 sample; as left by sam on the full\nbatch, ρ = 4, 1\.7519 times ‖x‖\.\n/,
  );
  expect(text).toMatch(/\nIf your own loss or accuracy differs, this is not your network\.\n\n/);
  expect(text).toMatch(/\nhallucinated-minimizer\n {2}SAM sees a minimizer that is not there/);
  expect(text).toMatch(/\nattracting: yes\n {2}SAM is drawn in/);
  expect(text).toMatch(/\n {2}‖x⁺ − x‖ +4 +must be rho = 4\n/);
  expect(text).toMatch(/\n {2}f\(x⁺\) +-1 +loss at the ascent point, lower than f\(x\)\n/);
  expect(text).toMatch(/\n {2}Re spectrum of H⁺M +1 … 6\.2854 +whole spectrum\n/);
  expect(text).toMatch(
    /min \(M \+ Mᵀ\)\/2 +1 +above 0 with H⁺ ≻ 0: attraction at small rates is proved/,
  );
  expect(text).toMatch(/\nsam from 5 displaced copies, 300 steps, learning rate 0\.159:\n/);
  expect(text).toMatch(/\n {2}random 3 +returned +distance 0\.004 became /);
  expect(text).toMatch(/Tolerances: zeroGradient 0\.000001/);
  expect(text.split("\n").every((line) => line.length <= 160)).toBe(true);
});

test("with weight decay the matrix is no longer H⁺M alone, and is not called so", async () => {
  const rho = 4;
  const x: [number, number] = [2 * Math.PI - 4, 0];
  // v = g⁺ + λx vanishes a little beside the zero of g⁺.
  const decayed = sam({ rho, outer: sgd({ weightDecay: 1e-3 }) });
  const text = await report("cosine", rho, x, decayed);
  expect(text).toMatch(/\nhallucinated-rest\n[^]* {2}Re spectrum of Dv +1\.001 … /);
  expect(text).not.toContain("spectrum of H⁺M");
  expect(await report("cosine", rho, x, sam({ rho }))).toContain("Re spectrum of H⁺M");
});

test("where the gradient vanishes, what rests on its direction is not printed", async () => {
  const text = await report("rosenbrock", 1, [1, 1]);
  expect(text).toMatch(/\nminimizer\n/);
  expect(text).not.toMatch(
    /NaN|null|undefined|not defined|displaced copies|attracting:|H⁺M +|max stable|min \||proved/,
  );
});

test.each<[string, number, [number, number]]>([
  ["rosenbrock", 0.01, [-1.2, 1]],
  ["saddle", 1, [0, 1]],
  ["ridge", 1.5, [-0.5, 0]],
])("%s at ρ = %d, %j: nothing is proved without its premises", async (name, rho, x) => {
  expect(await report(name as "saddle", rho, x)).not.toMatch(/proved/);
});

test("where nothing rests nothing is said of stability", async () => {
  const text = await report("rosenbrock", 0.01, [-1.2, 1]);
  expect(text).toMatch(/whole spectrum, no statement about stability: nothing rests here\n/);
  expect(text).not.toMatch(/max stable|attracting: |form a set/);
  expect(text).toMatch(
    /\n {2}drift +[\d.]+ +in 300 steps, learning rate [\d.]+; loss [\d.]+ to [\d.]+\n/,
  );
});

test("what a problem is called is not said twice where its description is that", async () => {
  const certificate = await certify({
    problem: planes.cosine.create(),
    point: { x: tensor([1, 0], [2], "float64") },
    rho: 4,
    steps: 1,
  });
  const named = (description: string) =>
    describeCertificate({
      ...certificate,
      ...(certificate.subject && { subject: { ...certificate.subject, description } }),
    });
  expect(named("cosine")).toMatch(/^Certified: cosine, 2 parameters/);
  expect(named("equal basins")).toMatch(/^Certified: cosine \(equal basins\), 2 parameters/);
});
