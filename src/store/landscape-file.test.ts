/** Landscape files: what is written is known when they are opened again, and of nothing else. */
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keyOf, type Place } from "../diagnostics/landscape/grid.ts";
import { parseLandscape } from "../read/landscape.ts";
import { formatChecked } from "../run/checked.ts";
import { openLandscape } from "./landscape-file.ts";

let root = "";
let path = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "lucid-landscape-"));
  path = join(root, "landscape.jsonl");
});
afterEach(() => rm(root, { recursive: true }));

const identity = {
  point: "00000001",
  axes: ["00000002", "00000003"],
  rho: 0.5,
  dtype: "float32",
  problem: { problem: "cosine" },
};
const directions = [
  { name: "the gradient g", unit: "distance" },
  { name: "principal component 1", unit: "distance", share: 0.75 },
];
const place = (x: number, y: number, loss: number, more: object = {}): Place => ({
  place: [x, y],
  loss,
  ...more,
});
const write = async (...places: Place[]) => {
  const file = await openLandscape(path, identity, directions);
  await file.append(places);
  await file.close();
};
const known = async () => {
  const file = await openLandscape(path, identity, directions);
  await file.close();
  return file.known;
};

test("what was written is known when the file is opened again, and is added to", async () => {
  expect(await known()).toEqual(new Map());
  const [a, b] = [place(0, -1, 2), place(0.5, 1, NaN, { gradNorm: 3 })];
  await write(a, b);
  expect(await known()).toEqual(new Map([a, b].map((one) => [keyOf(one.place), one])));
  const later = place(0, -1, 5);
  await write(later);
  await write();
  expect((await known()).get("0,-1")).toEqual(later);
  const read = parseLandscape(await readFile(path, "utf8"), path);
  const { identity: found, directions: named, places } = read;
  expect(found).toEqual(identity);
  expect(named).toEqual(directions);
  expect(places).toEqual([a, b, later]);
});

test.each([
  ["place", 1],
  ["first line", 0],
])("a %s that a crash has torn is cut off", async (_, lines) => {
  await write(place(0, 0, 1), place(1, 0, 2));
  const whole = (await readFile(path, "utf8")).split("\n");
  await writeFile(
    path,
    whole
      .slice(0, lines)
      .map((line) => `${line}\n`)
      .join(""),
  );
  await appendFile(path, (whole[lines] ?? "").slice(0, 20));
  expect((await known()).size).toBe(0);
  await write(place(2, 0, 3));
  expect([...(await known()).keys()]).toEqual(["2,0"]);
});

test.each<[string, object]>([
  ["point", { point: "00000009" }],
  ["directions", { axes: ["00000002"] }],
  ["radius", { rho: 0.25 }],
  ["type", { dtype: "float64" }],
  ["problem", { problem: { problem: "himmelblau" } }],
])("a landscape of another %s is refused, and stays as it was", async (_, change) => {
  await write(place(0, 0, 1));
  const before = await readFile(path, "utf8");
  await expect(openLandscape(path, { ...identity, ...change }, directions)).rejects.toThrow(
    `invalid out: ${path} is of another point, radius or directions (choose another folder)`,
  );
  expect(await readFile(path, "utf8")).toBe(before);
});

test.each<[string, (lines: readonly string[]) => string, number]>([
  ["no landscape", () => "{}\n", 1],
  ["no JSON", () => "x\n", 1],
  [
    "a changed number",
    ([head, first]) => `${head}\n${first?.replace('"loss":1', '"loss":9')}\n`,
    2,
  ],
  ["a place in words", ([head]) => `${head}\n${formatChecked({ place: ["a"], loss: 1 })}\n`, 2],
  ["no place", ([head, first]) => `${head}\n${first}\n${formatChecked({ loss: 1 })}\n`, 3],
  ["a loss in words", ([head]) => `${head}\n${formatChecked({ place: [1], loss: "1" })}\n`, 2],
])("a file with %s is damaged", async (_, damage, line) => {
  await write(place(0, 0, 1));
  await writeFile(path, damage((await readFile(path, "utf8")).split("\n")));
  await expect(known()).rejects.toThrow(
    `invalid file ${path}: line ${line} is damaged (delete the file and start anew)`,
  );
});

test("a landscape of a newer version is refused", async () => {
  await writeFile(path, `${formatChecked({ format: 2, ...identity })}\n`);
  await expect(known()).rejects.toThrow(
    `invalid file ${path}: of a newer version (update lucid-sam)`,
  );
});

test("of two that write to one folder the later is refused, and nothing is torn", async () => {
  const file = await openLandscape(path, identity, directions);
  await file.append([place(0, 0, 1)]);
  await expect(known()).rejects.toThrow(
    new RegExp(`^invalid folder .*: process ${process.pid} has been writing to it since`),
  );
  await file.append([place(1, 1, 2)]);
  await file.close();
  expect((await known()).size).toBe(2);
  expect(await readdir(root)).toEqual(["landscape.jsonl"]);
});
