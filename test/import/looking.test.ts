/** Imported networks looked at: hallucinated points searched for, and the loss drawn, as PyTorch has it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { lucid } from "../lucid.ts";
import { expectedOf, fixtures } from "./fixtures.ts";

const folder = mkdtempSync(join(tmpdir(), "lucid-looking-"));
afterAll(() => rmSync(folder, { recursive: true }));

const problem = join(fixtures, "mlp");
const point = join(problem, "point.safetensors");
const expected = expectedOf("mlp");
const loss = expected["evaluate.loss"]?.data[0] ?? NaN;
const gradient = Object.entries(expected).flatMap(([name, { data }]) =>
  name.startsWith("evaluate.gradient.") ? [...data] : [],
);
const gradNorm = Math.hypot(...gradient);

test("find searches the sphere around the exported point", async () => {
  const flags = ["--problem", problem, "--center", point, "--rho", "0.5", "--starts", "2"];
  const { code, out, err } = await lucid("find", ...flags, "--json");
  expect(code, err).toBe(0);
  const [found] = JSON.parse(out) as {
    centerGradNorm: number;
    starts: number;
    constrainedMinima: readonly { loss: number }[];
  }[];
  expect(gradient.length).toBe(128);
  expect(found?.centerGradNorm).toBeCloseTo(gradNorm, 12);
  expect(found?.starts).toBe(2);
  const minima = found?.constrainedMinima ?? [];
  expect(minima.length).toBeGreaterThan(0);
  // The gradient at the center is not zero: downhill of it the sphere is lower than the center.
  for (const minimum of minima) {
    expect(minimum.loss).toBeLessThan(loss - 0.25 * 0.5 * gradNorm);
  }
});

test("landscape draws the loss around the exported point", async () => {
  const drawn = join(folder, "drawn");
  const flags = ["--problem", problem, "--point", point, "--rho", "0.5", "--points", "3"];
  const { code, err } = await lucid("landscape", ...flags, "--out", drawn);
  expect(code, err).toBe(0);
  const [, ...places] = readFileSync(join(drawn, "landscape.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { place: number[]; loss: number; gradNorm: number });
  expect(places.length).toBe(9);
  const [center] = places.filter(({ place }) => place.every((distance) => distance === 0));
  expect(center?.loss).toBeCloseTo(loss, 6);
  expect(center?.gradNorm).toBeCloseTo(gradNorm, 6);
});
