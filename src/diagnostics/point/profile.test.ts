import { expect, test } from "vitest";
import { planes } from "../../problems/planes/index.ts";
import { planeDerivatives } from "./derivatives.ts";
import { ascentProfile } from "./profile.ts";

test("cosine from its hallucinated minimizer: up a slope of −sin 4, over the top, down to flat ground", async () => {
  const f = planeDerivatives(planes.cosine.create().plane);
  const profile = await ascentProfile(f, new Float64Array([2 * Math.PI - 4, 0]), 4);
  expect(profile).toMatchObject({ rho: 4, points: { length: 161 } });
  expect(profile?.slope).toBeCloseTo(-Math.sin(4), 14);
  expect(profile?.shiftedSlope).toBeCloseTo(0, 14);
  for (const { distance, loss } of profile?.points ?? []) {
    expect(loss).toBeCloseTo(-Math.cos(2 * Math.PI - 4 + distance), 12);
  }
  const at = (distance: number) => profile?.points.find((point) => point.distance === distance);
  expect(at(0)?.loss).toBeCloseTo(-Math.cos(4), 14);
  expect(at(4)?.loss).toBeCloseTo(-1, 14);
});

test("no line where the gradient or ρ is zero", async () => {
  const f = planeDerivatives(planes.cosine.create().plane);
  expect(await ascentProfile(f, new Float64Array([0, 0]), 4)).toBeUndefined();
  expect(await ascentProfile(f, new Float64Array([1, 0]), 0)).toBeUndefined();
});
