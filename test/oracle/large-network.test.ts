/** Spectra by iteration against SciPy's, on a network with more than 10,000 weights. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { defaultCertificateTolerances } from "../../src/diagnostics/certificate/certificate.ts";
import { curvatureAt } from "../../src/diagnostics/point/curvature.ts";
import { compileDerivatives } from "../../src/diagnostics/point/derivatives.ts";
import { restPoint } from "../../src/diagnostics/point/rest-point.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { mlp } from "../../src/problems/networks/mlp.ts";

interface Stored {
  readonly weights: number;
  readonly rho: number;
  readonly loss: number;
  readonly shiftedLoss: number;
  readonly gradNorm: number;
  readonly shiftedGradNorm: number;
  readonly hessian: { readonly min: number; readonly max: number };
  readonly shiftedHessian: { readonly min: number; readonly max: number };
  readonly samJacobian: { readonly minReal: number; readonly maxReal: number };
  readonly minSymmetric: number;
}

test("agrees with SciPy to 1e-6 where 1e-3 is asked", async () => {
  const file = new URL("large-network.json", import.meta.url);
  const stored = JSON.parse(await readFile(file, "utf8")) as Stored;
  // The formulas of large-network.py.
  const [samples, features] = [60, 120];
  const x = Array.from(
    { length: samples * features },
    (_, k) => 1.2 * Math.sin(1.7 * k + 0.001 * k * k + 0.3),
  );
  const y = Array.from({ length: samples }, (_, n) => (n * 7 + 3) % 10);
  const train = {
    size: samples,
    batch: { x: tensor(x, [samples, features], "float64"), y: tensor(y, [samples], "int32") },
  };
  const problem = mlp({ train, hidden: [80], dtype: "float64" });
  const flat = Float64Array.from(
    { length: stored.weights },
    (_, i) => 0.15 * Math.sin(2.3 * i + 0.0007 * i * i),
  );
  const f = await compileDerivatives(problem);
  const point = await restPoint({ f, rho: stored.rho }, flat);
  const { hessian, shiftedHessian, motions, sam } = await curvatureAt(f, point, {
    tolerances: defaultCertificateTolerances,
    denseLimit: 0,
    rests: true,
    length: stored.rho,
    seed: 0,
  });
  await f.dispose();
  const compared = [
    [point.sam.loss, stored.loss],
    [point.sam.shiftedLoss, stored.shiftedLoss],
    [point.sam.gradNorm, stored.gradNorm],
    [point.sam.shiftedGradNorm, stored.shiftedGradNorm],
    [hessian.min, stored.hessian.min],
    [hessian.max, stored.hessian.max],
    [shiftedHessian.min, stored.shiftedHessian.min],
    [shiftedHessian.max, stored.shiftedHessian.max],
    [motions?.minReal, stored.samJacobian.minReal],
    [motions?.maxReal, stored.samJacobian.maxReal],
    [sam?.minSymmetric.value, stored.minSymmetric],
  ] as const;
  for (const [found, expected] of compared) {
    expect(Math.abs((found ?? NaN) / expected - 1)).toBeLessThan(1e-6);
  }
}, 300_000);
