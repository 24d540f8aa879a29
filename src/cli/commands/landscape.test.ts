import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lucid } from "../../../test/lucid.ts";
import { parseLandscape } from "../../read/landscape.ts";
import { rangeWords } from "../../report/words.ts";
import { formatChecked } from "../../run/checked.ts";

const root = mkdtempSync(join(tmpdir(), "lucid-landscape-"));
const run = join(root, "run");
beforeAll(async () => {
  await lucid(
    ..."train --problem regression --rho 2 --lr 0.01 --steps 300 --seed 3 --out".split(" "),
    run,
  );
});
afterAll(() => rmSync(root, { recursive: true }));

const at = (folder: string, file: string) => join(root, folder, file);
const linesOf = (folder: string) =>
  readFileSync(at(folder, "landscape.jsonl"), "utf8").trimEnd().split("\n");
const draw = (folder: string, ...flags: string[]) =>
  lucid("landscape", run, "--out", join(root, folder), ...flags);

test("a plane through the end of a run: values that match the run's own, five files, nothing computed twice", async () => {
  const { code, out } = await draw("plane", "--points", "5", "--span", "1", "--dtype", "float64");
  expect(code).toBe(0);
  expect(out).toContain("ρ/‖x‖ = ");
  const result = JSON.parse(readFileSync(at("run", "result.json"), "utf8")) as {
    final: { loss: number; shiftedLoss: number };
  };
  const rows = readFileSync(at("plane", "landscape.csv"), "utf8").trimEnd().split("\n");
  expect(rows).toHaveLength(26);
  const [, , loss, shiftedLoss] = (rows[13] ?? "").split(",").map(Number);
  expect(loss).toBeCloseTo(result.final.loss, 5);
  expect(shiftedLoss).toBeCloseTo(result.final.shiftedLoss, 4);
  const page = readFileSync(at("plane", "landscape.html"), "utf8");
  expect(page).toContain("As a surface");
  expect(page).not.toMatch(/(src|href)="https?:/);
  expect(readFileSync(at("plane", "landscape.svg"), "utf8")).toContain("What SAM sees");

  const before = linesOf("plane");
  expect(before).toHaveLength(26);
  expect((await draw("plane", "--points", "9", "--span", "2", "--dtype", "float64")).code).toBe(0);
  const after = linesOf("plane");
  expect(after.slice(0, 26)).toEqual(before);
  expect(after).toHaveLength(1 + 81);
});

test("the range of a large grid is said, and that of what is finite alone", () => {
  const values = Array.from({ length: 300_000 }, (_, i) => i);
  expect(rangeWords(values)).toBe("0 … 300000");
  expect(rangeWords([NaN, 2, -Infinity, 1])).toBe("1 … 2");
  expect(rangeWords([NaN])).toBe("nothing finite");
});

test("what was drawn without the second gradient gets it when it is asked for", async () => {
  const flags = ["--points", "3", "--span", "1"];
  expect((await draw("layers", ...flags, "--losses-only")).code).toBe(0);
  expect(readFileSync(at("layers", "landscape.csv"), "utf8")).not.toContain("cosine");
  expect((await draw("layers", ...flags)).code).toBe(0);
  const [head = "", ...rows] = readFileSync(at("layers", "landscape.csv"), "utf8")
    .trimEnd()
    .split(/\r?\n/);
  const column = head.split(",").indexOf("cosine");
  expect(rows).toHaveLength(9);
  for (const row of rows)
    expect(Math.abs(Number(row.split(",")[column] || NaN))).toBeLessThan(1.01);
});

test("a file that a crash cut off goes on; a damaged one and one of another point are refused", async () => {
  const flags = ["--points", "3", "--line", "--directions", "ascent"];
  expect((await draw("line", ...flags)).code).toBe(0);
  const file = at("line", "landscape.jsonl");
  const whole = readFileSync(file, "utf8");
  writeFileSync(file, whole.slice(0, -40));
  // Once more, for what was written behind the cut.
  for (const _ of ["cut", "whole"]) expect((await draw("line", ...flags)).code).toBe(0);
  expect(readFileSync(at("line", "landscape.csv"), "utf8").split("\n")).toHaveLength(5);
  // The torn line is gone: the file can be read and extended ever after.
  expect((await draw("line", ...flags, "--points", "5")).code).toBe(0);
  expect(linesOf("line")).toHaveLength(1 + 5);
  expect((await draw("line", ...flags)).code).toBe(0);

  writeFileSync(file, whole.replace('"loss":', '"loss":1'));
  const damaged = await draw("line", ...flags);
  expect(damaged.code).toBe(2);
  expect(damaged.err).toContain("line 2 is damaged");

  writeFileSync(file, whole);
  const other = await draw("line", ...flags, "--rho", "1");
  expect(other.code).toBe(2);
  expect(other.err).toContain("is of another point, radius or directions (choose another folder)");
});

test("a new file says what its axes are; one of an earlier version, which does not, goes on", async () => {
  const flags = "--directions trajectory --losses-only --points 3".split(" ");
  expect((await draw("named", ...flags)).code).toBe(0);
  const file = at("named", "landscape.jsonl");
  const { directions = [] } = parseLandscape(readFileSync(file, "utf8"), file);
  expect(directions).toEqual([
    { name: "principal component 1", unit: "distance", share: expect.any(Number) },
    { name: "principal component 2", unit: "distance", share: expect.any(Number) },
  ]);
  const [first = NaN, second = NaN] = directions.map(({ share }) => share);
  expect(first).toBeGreaterThan(second);
  expect(first + second).toBeLessThanOrEqual(1 + 1e-9);
  const label = `along principal component 1 (${(100 * first).toPrecision(3)} %), distance`;
  expect(readFileSync(at("named", "landscape.svg"), "utf8")).toContain(label);
  expect(readFileSync(at("named", "landscape.html"), "utf8")).toContain(`"axes":["${label}"`);

  const [head = "", ...places] = linesOf("named");
  const { directions: _, check: __, ...older } = JSON.parse(head) as Record<string, unknown>;
  const old = formatChecked(older);
  writeFileSync(file, [old, ...places, ""].join("\n"));
  expect((await draw("named", ...flags.slice(0, -1), "5")).code).toBe(0);
  expect(linesOf("named")[0]).toBe(old);
  expect(linesOf("named").slice(1, 1 + places.length)).toEqual(places);
  expect(linesOf("named")).toHaveLength(1 + 25);
});

test("the path of a run is trained again and lies in the plane where it spread most", async () => {
  const { code, out } = await draw(
    "path",
    ..."--directions trajectory --points 3 --losses-only --json".split(" "),
  );
  expect(code).toBe(0);
  const { paths, cosine } = JSON.parse(out) as {
    paths: { kept: number; coordinates: number[][] }[];
    cosine?: number[];
  };
  expect(cosine).toBeUndefined();
  expect(paths[0]?.kept).toBeGreaterThan(0.8);
  // The run ends where the landscape has its center.
  for (const coordinate of paths[0]?.coordinates.at(-1) ?? [NaN]) {
    expect(coordinate).toBeCloseTo(0, 6);
  }
});

test("the way to another point begins at this one and passes the other", async () => {
  const target = join(root, "other");
  await lucid(
    ..."train --problem regression --method gd --lr 0.01 --steps 300 --seed 3 --out".split(" "),
    target,
  );
  const { code, out } = await draw("to", "--directions", `to:${target}`, "--line", "--json");
  expect(code).toBe(0);
  const { marks } = JSON.parse(out) as { marks: { name: string; at: number[] }[] };
  const [here, there] = [marks.find(({ name }) => name === "x"), marks.at(-1)];
  expect(here?.at).toEqual([0]);
  expect(there?.name).toBe("other");
  expect(there?.at[0]).toBeGreaterThan(0.01);
});

test.each([
  [
    "an unknown direction",
    ["--directions", "filtr"],
    /unknown direction "filtr".*did you mean "filter"/,
  ],
  ["three directions", ["--directions", "random,filter,eigen"], /give one or two/],
  ["a span of nothing", ["--span", "0"], /invalid span: 0/],
  ["too many places", ["--points", "100000"], /invalid points: 100000/],
  ["the point itself", [`--directions`, `to:${run}`], /it is the point itself/],
  ["coordinates of a network", ["--directions", "coordinates"], /regression is no plane/],
  ["a flag that the run has", ["--problem", "cosine"], /the run says what was trained/],
])("refuses %s in one line", async (_, flags, message) => {
  const { code, err } = await draw("refused", ...flags);
  expect(code).toBe(2);
  expect(err).toMatch(message);
});

test("a point alone has no path", async () => {
  const { code, err } = await lucid(
    ..."landscape --problem cosine --rho 4 --point 1,0 --path --out".split(" "),
    join(root, "none"),
  );
  expect(code).toBe(2);
  expect(err).toContain("missing run: a point alone has no trajectory");
});

describe("on a plane", () => {
  const folder = join(root, "cosine");
  // Both runs end where the second coordinate is 0 to rounding; the other one never leaves it.
  beforeAll(async () => {
    for (const [out, start] of [
      [folder, "2,0.5"],
      [`${folder}-line`, "2,0"],
    ] as const) {
      await lucid(
        "train",
        ..."--problem cosine --rho 4 --steps 100 --start".split(" "),
        start,
        "--out",
        out,
      );
    }
  });
  const drawEnd = (run: string, ...flags: string[]) =>
    lucid(
      "landscape",
      run,
      "--points",
      "3",
      "--out",
      join(root, `plane-${flags.join("-")}`),
      ...flags,
    );

  test("the axes are its coordinates unless said otherwise", async () => {
    const { code, out } = await drawEnd(folder, "--json");
    expect(code).toBe(0);
    const { axes } = JSON.parse(out) as { axes: string[] };
    expect(axes).toEqual([expect.stringMatching(/\bx1\b/), expect.stringMatching(/\bx2\b/)]);
  });

  test.each(["ascent", "to:2,0"])("there is always a second direction beside %s", async (name) => {
    expect(await drawEnd(folder, "--directions", name)).toMatchObject({ code: 0 });
  });

  test("of a run along a line the trajectory is a line, and a plane with a second direction", async () => {
    const run = `${folder}-line`;
    const alone = await drawEnd(run, "--directions", "trajectory");
    expect(alone.code).toBe(2);
    expect(alone.err).toContain("give a second direction, as in trajectory,random");
    expect((await drawEnd(run, "--directions", "trajectory", "--line")).code).toBe(0);
    expect((await drawEnd(run, "--directions", "trajectory,random")).code).toBe(0);
  });
});
