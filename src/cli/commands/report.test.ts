import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseHTML } from "linkedom";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lucid } from "../../../test/lucid.ts";

const root = mkdtempSync(join(tmpdir(), "lucid-report-"));
const at = (name: string) => join(root, name);
const train = (name: string, flags: string) =>
  lucid("train", ...flags.split(" "), "--out", at(name));
beforeAll(async () => {
  await train("sam", "--problem regression --rho 2 --lr 0.01 --steps 200 --seed 3");
  await train("gd", "--problem regression --method gd --lr 0.01 --steps 200 --seed 3");
  await train("plane", "--problem cosine --rho 4 --steps 60");
});
afterAll(() => rmSync(root, { recursive: true }));

const pageOf = (file: string) => {
  const html = readFileSync(at(file), "utf8");
  // Nothing is fetched.
  expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  return parseHTML(html).document;
};

test("a run's page shows its verdict, its numbers, and pictures that say what they show", async () => {
  const { code } = await lucid("report", at("sam"), "--out", at("run.html"));
  expect(code).toBe(0);
  const document = pageOf("run.html");
  const { final, verdict } = JSON.parse(readFileSync(at("sam/result.json"), "utf8")) as {
    final: { loss: number };
    verdict: { name: string };
  };
  const row = document.querySelector("tbody tr")?.textContent ?? "";
  expect(row).toContain(verdict.name);
  expect(row).toContain(String(Number(final.loss.toPrecision(4))));
  const pictures = [...document.querySelectorAll("svg[role=img]")];
  expect(pictures.length).toBeGreaterThan(1);
  for (const picture of pictures) expect(picture.getAttribute("aria-label")).not.toBe("");
});

test("a study's page has a row for every run, each with its cell", async () => {
  const study = at("small.json");
  writeFileSync(
    study,
    JSON.stringify({
      name: "small",
      description: "two radii",
      fixed: { problem: "cosine", steps: 40 },
      axes: { rho: [1, 4] },
      seeds: 2,
    }),
  );
  const sweep = ["sweep", study, "--out", at("small"), "--workers", "1"];
  expect((await lucid(...sweep, "--html", at("swept/study.html"))).code).toBe(0);
  expect((await lucid("report", at("small"), "--out", at("study.html"))).code).toBe(0);
  expect(readFileSync(at("swept/study.html"), "utf8")).toBe(readFileSync(at("study.html"), "utf8"));
  const document = pageOf("study.html");
  const cells = [...document.querySelectorAll("td code")].map((cell) => cell.textContent);
  const rows = readFileSync(at("small/rows.jsonl"), "utf8").trimEnd().split("\n");
  const ids = rows.map((row) => (JSON.parse(row) as { cell: string }).cell);
  expect(cells.toSorted()).toEqual(ids.toSorted());
  expect(cells).toHaveLength(4);
  const [groups] = document.querySelectorAll("tbody");
  expect(groups?.children).toHaveLength(2);
  expect(document.querySelectorAll("th button").length).toBeGreaterThan(5);
});

test("of a study without histories are shown the ends alone", async () => {
  const pack = fileURLToPath(
    new URL("../../../studies/results/remedies.jsonl.gz", import.meta.url),
  );
  expect((await lucid("report", pack, "--out", at("ends.html"))).code).toBe(0);
  const heads = [...pageOf("ends.html").querySelectorAll("h2")].map((head) => head.textContent);
  expect(heads).toContain("Where they ended");
  expect(heads).not.toContain("How they got there");
  const { code, err } = await lucid("figure", "grad-ratio", pack, "--out", at("none.svg"));
  expect(code).toBe(2);
  expect(err).toMatch(/missing histories in .*none were kept \(choose from 8, final-loss\)/);
});

test("a certificate's page is made from what certify printed", async () => {
  const { out } = await lucid("certify", at("plane"), "--steps", "50", "--json");
  writeFileSync(at("certificate.json"), out);
  const { code } = await lucid("report", at("certificate.json"), "--out", at("certificate.html"));
  expect(code).toBe(0);
  const { verdict } = JSON.parse(out) as { verdict: { sentence: string } };
  expect(pageOf("certificate.html").body.textContent).toContain(verdict.sentence);
  writeFileSync(at("other.json"), '{"verdict":"minimizer"}');
  const refused = await lucid("report", at("other.json"));
  expect(refused.code).toBe(2);
  expect(refused.err).toMatch(/other\.json: not a certificate \(give what lucid certify --json/);
});

test("runs side by side: distances are symmetric, and the line between ends starts at both losses", async () => {
  const { code, out } = await lucid(
    "compare",
    at("sam"),
    at("gd"),
    at("plane"),
    "--out",
    at("compare.html"),
    "--json",
  );
  expect(code).toBe(0);
  const { runs, lines } = JSON.parse(out) as {
    runs: { name: string; final: { loss: number }; distances: (number | null)[] }[];
    lines: { to: string; at: number[]; loss: number[] }[];
  };
  expect(runs.map(({ name }) => name)).toEqual(["sam", "gd", "plane"]);
  const [sam, gd, plane] = runs;
  expect(sam?.distances[1]).toBe(gd?.distances[0]);
  expect(sam?.distances[1]).toBeGreaterThan(0);
  // A point of a plane is no point of a network.
  expect(plane?.distances).toEqual([null, null, 0]);
  expect(lines.map(({ to }) => to)).toEqual(["gd"]);
  const [line] = lines;
  const lossAt = (place: number) => {
    const apart = (t: number) => Math.abs(t - place);
    const nearest = line?.at.reduce((a, b) => (apart(b) < apart(a) ? b : a)) ?? NaN;
    return line?.loss[line.at.indexOf(nearest)];
  };
  expect(lossAt(0)).toBeCloseTo(sam?.final.loss ?? NaN, 2);
  expect(lossAt(sam?.distances[1] ?? NaN)).toBeCloseTo(gd?.final.loss ?? NaN, 2);
  expect(pageOf("compare.html").querySelectorAll("svg[role=img]")).toHaveLength(2);
});

test.each([
  [
    ["report", "nowhere"],
    /missing nowhere: nothing is there \(give the folder of a run or a study/,
  ],
  [["compare", "one"], /missing runs \(give two folders or more\)/],
])("refuses %j", async (args, message) => {
  const { code, err } = await lucid(...args);
  expect(code).toBe(2);
  expect(err).toMatch(message);
});
