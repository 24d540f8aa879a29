import * as fc from "fast-check";
import { expect, test } from "vitest";
import { growth, largestRate, type Ball } from "./stability.ts";

const balls: Ball[] = [
  { momentum: 0, nesterov: false },
  { momentum: 0.5, nesterov: false },
  { momentum: 0.9, nesterov: false },
  { momentum: 0.5, nesterov: true },
  { momentum: 0.9, nesterov: true },
];
const values = [
  { re: 2, im: 0 },
  { re: 2, im: 1 },
  { re: 0.3, im: 5 },
];

/** Modulus per step, by running SGD itself in complex numbers: v ← βv + λx, x ← x − ηv. */
function measured({ re, im }: { re: number; im: number }, rate: number, ball: Ball): number {
  const { momentum, nesterov } = ball;
  let [xr, xi, vr, vi] = [1, 0.3, 0, 0];
  let logarithm = 0;
  const [skip, steps] = [500, 4000];
  for (let t = 0; t < steps; t++) {
    const [dr, di] = [re * xr - im * xi, re * xi + im * xr];
    [vr, vi] = [momentum * vr + dr, momentum * vi + di];
    const [mr, mi] = nesterov ? [dr + momentum * vr, di + momentum * vi] : [vr, vi];
    [xr, xi] = [xr - rate * mr, xi - rate * mi];
    const size = Math.hypot(xr, xi, vr, vi);
    if (t >= skip) logarithm += Math.log(size);
    [xr, xi, vr, vi] = [xr / size, xi / size, vr / size, vi / size];
  }
  return Math.exp(logarithm / (steps - skip));
}

test.each(balls)("growth with %j is that of the optimizer", (ball) => {
  for (const value of values) {
    for (const rate of [0.01, 0.2, 0.7, 1.5]) {
      expect(growth(value, rate, ball)).toBeCloseTo(measured(value, rate, ball), 2);
    }
  }
});

test.each(balls)("below the largest rate with %j steps contract, above they do not", (ball) => {
  for (const value of values) {
    const rate = largestRate(value, ball) ?? NaN;
    for (const share of [0.05, 0.5, 0.999])
      expect(growth(value, share * rate, ball)).toBeLessThan(1);
    expect(growth(value, 1.001 * rate, ball)).toBeGreaterThan(1);
  }
});

// With Nesterov's look ahead rates may contract again beyond some that do not: at β = 0.9 from about
// arg λ = 0.57 to 0.6.
test("all rates up to the largest contract, wherever the eigenvalue lies, in any unit", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1.5, noNaN: true }),
      fc.constantFrom(...balls),
      fc.constantFrom(1e-3, 1, 40),
      expectFirstRate,
    ),
    { numRuns: 200, seed: 1 },
  );
  for (const angle of [0.573, 0.581, 0.589]) {
    for (const size of [1e-3, 1, 40]) {
      expectFirstRate(angle, { momentum: 0.9, nesterov: true }, size);
    }
  }
});

function expectFirstRate(angle: number, ball: Ball, size: number) {
  const value = { re: size * Math.cos(angle), im: size * Math.sin(angle) };
  const rate = largestRate(value, ball) ?? NaN;
  for (let i = 1; i < 300; i++) expect(growth(value, (rate * i) / 300, ball)).toBeLessThan(1);
  expect(growth(value, rate * (1 + 1e-9), ball)).toBeGreaterThan(1);
  expect(growth(value, rate * (1 - 1e-9), ball)).toBeLessThan(1);
}

test("closed forms: 2/λ, 2(1 + β)/λ with a heavy ball, (2 + 2β)/(1 + 2β)/λ with Nesterov's", () => {
  const rate = (momentum: number, nesterov = false) =>
    largestRate({ re: 4, im: 0 }, { momentum, nesterov });
  expect([rate(0), rate(0.9), rate(0.9, true), rate(0, true)]).toEqual(
    [0.5, 0.95, 3.8 / 2.8 / 4, 0.5].map((value) => expect.closeTo(value, 10)),
  );
});

test("no rate contracts where the real part is not positive", () => {
  for (const re of [0, -1]) {
    expect(largestRate({ re, im: 1 }, { momentum: 0, nesterov: false })).toBeUndefined();
  }
});
