/** Basin maps in workers: coarse to fine, the newest alone, and what the plane is known to do. */
import { planes } from "lucid-sam/problems";
import { parseSpec } from "lucid-sam/run";
import { basinEnds } from "lucid-sam/diagnostics";
import { afterAll, expect, test } from "vitest";
import { Basins, type BasinPicture } from "./basins.ts";
import { startPlaneWorker } from "./plane-client.ts";

const client = startPlaneWorker();
const basins = new Basins(2);
afterAll(() => {
  client.cancel();
  basins.end();
});

async function optionsOf(rho: number, cells: number, steps: number) {
  const { basins: code } = await client.scene(parseSpec({ problem: "ridge", rho: 1 }));
  const { plane } = planes.ridge.create();
  return {
    code,
    knobs: { rho },
    view: plane.domain,
    columns: cells,
    rows: cells,
    steps,
    rate: 0.02,
    minimum: plane.minimum,
  };
}

const whole = (options: Parameters<Basins["start"]>[0]) =>
  new Promise<readonly BasinPicture[]>((done, fail) => {
    const pictures: BasinPicture[] = [];
    const take = (picture: BasinPicture) => {
      pictures.push(picture);
      if (picture.done) done(pictures);
    };
    basins.start(options, take, (line) => fail(new Error(line)));
  });

test("a map comes coarse to fine, and on ridge nearly every start ends at a hallucinated point at ρ = 1.6", async () => {
  const pictures = await whole(await optionsOf(1.6, 256, 2000));
  const strides = pictures.map(({ stride }) => stride);
  expect(strides).toEqual(strides.toSorted((a, b) => b - a));
  expect(strides.at(-1)).toBe(1);
  expect(strides[0]).toBeGreaterThan(1);
  for (const { classes } of pictures) expect(Math.max(...classes)).toBeLessThan(basinEnds.length);
  const last = pictures.at(-1);
  expect(last?.shares.hallucinated).toBeGreaterThan(0.9);
  const total = Object.values(last?.shares ?? {}).reduce((sum, share) => sum + share, 0);
  expect(total).toBeCloseTo(1, 12);
  console.info(
    `basins of ridge, ρ = 1.6, 256², 2,000 steps, ${last?.shares.hallucinated} hallucinated: first shape ${Math.round(pictures[0]?.milliseconds ?? NaN)} ms, all ${Math.round(last?.milliseconds ?? NaN)} ms`,
  );
});

test("the budget is a class of its own: with more steps fewer starts are unsettled", async () => {
  const few = (await whole(await optionsOf(1.15, 32, 200))).at(-1);
  const more = (await whole(await optionsOf(1.15, 32, 20_000))).at(-1);
  expect(few?.shares.unsettled).toBeGreaterThan(0.2);
  expect(more?.shares.unsettled).toBe(0);
  expect(more?.shares.hallucinated).toBe(1);
});

test("a new map drops the old one, whose last news is still on its way", async () => {
  const [old, next] = [await optionsOf(1.6, 64, 500), await optionsOf(1.6, 32, 500)];
  const columns: number[] = [];
  for (let i = 0; i < 20; i++) {
    await new Promise<void>((begun, fail) =>
      basins.start(
        old,
        () => begun(),
        (line) => fail(new Error(line)),
      ),
    );
    columns.push(...(await whole(next)).map((picture) => picture.columns));
  }
  expect(new Set(columns)).toEqual(new Set([32]));
});

test("what a worker cannot compute is told, and the next map is computed", async () => {
  const options = await optionsOf(1.6, 32, 500);
  const code = { ...options.code, javaScript: '(() => { throw new Error("no loop"); })()' };
  await expect(whole({ ...options, code })).rejects.toThrow("no loop");
  expect((await whole(options)).at(-1)?.done).toBe(true);
});
