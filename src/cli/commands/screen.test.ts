import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lucid } from "../../../test/lucid.ts";

let folder = "";
const inFolder = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-screen-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** A run that stalls while ‖g⁺‖ dies out, one that learns, and one with a loss alone. */
const stalling = (step: number) => ({
  step,
  loss: 2.28 + 0.1 * Math.exp(-step / 10),
  shiftedLoss: 2.3,
  gradNorm: 0.3,
  shiftedGradNorm: 0.3 * Math.exp(-step / 20) + 1e-3,
  cosine: 0.5,
});
const learning = (step: number) => {
  const loss = 2.3 * Math.exp(-step / 40);
  return {
    step,
    loss,
    shiftedLoss: 1.1 * loss,
    gradNorm: loss,
    shiftedGradNorm: loss,
    cosine: 0.99,
  };
};
type Row = ReturnType<typeof stalling>;

const steps = (count: number, every = 1) => Array.from({ length: count }, (_, i) => i * every);
const asLines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

async function logOf(name: string, text: string): Promise<string> {
  await writeFile(inFolder(name), text);
  return inFolder(name);
}

async function screened(log: string, ...flags: string[]) {
  const { out, err, code } = await lucid("screen", log, "--json", ...flags);
  expect([code, err]).toEqual([0, ""]);
  return JSON.parse(out) as {
    verdict: { name: string; sentence: string; dtype: string; engine: string };
    warning: { step: number } | null;
    rows: number;
    missing: string[];
    earlierRuns: number;
    remarks: string[];
  };
}

/** An event file with one record per scalar, written from the format's description. */
function eventsOf(rows: readonly Row[], tag: (name: string) => string): Uint8Array {
  const bytes: number[] = [];
  const crc32c = (data: readonly number[]) => {
    let crc = 0xffffffff;
    for (const byte of data) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc >>> 0;
  };
  const little = (value: number, length: number) =>
    Array.from({ length }, (_, i) => Math.floor(value / 256 ** i) % 256);
  const masked = (data: readonly number[]) => {
    const crc = crc32c(data);
    return little(
      (Math.floor(crc / 2 ** 15) + (crc % 2 ** 15) * 2 ** 17 + 0xa282ead8) % 2 ** 32,
      4,
    );
  };
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
  const message = (field: number, data: readonly number[]) => [
    field * 8 + 2,
    ...varint(data.length),
    ...data,
  ];
  const record = (data: readonly number[]) => {
    const length = little(data.length, 8);
    bytes.push(...length, ...masked(length), ...data, ...masked(data));
  };
  const text = (words: string) => [...new TextEncoder().encode(words)];
  const time = [9, 0, 0, 0, 0, 0, 0, 0, 0];
  record([...time, ...message(3, text("brain.Event:2"))]);
  for (const { step, ...values } of rows) {
    for (const [name, value] of Object.entries(values)) {
      const float = [...new Uint8Array(Float32Array.of(value).buffer)];
      const scalar = [...message(1, text(tag(name))), 2 * 8 + 5, ...float];
      record([...time, 2 * 8, ...varint(step), ...message(5, message(1, scalar))]);
    }
  }
  return Uint8Array.from(bytes);
}

describe("logs in every form give the same verdict", () => {
  const rows = steps(300).map(stalling);
  const expected = { verdict: { name: "hallucinated-point" }, rows: 300, missing: [] };

  test("JSON lines, with a header that says what rows were taken on", async () => {
    const header = { lucid: 1, evidence: "probe", dtype: "float64", torch: "2.15.0", rho: 2 };
    const log = await logOf("plain.jsonl", asLines([header, ...rows]));
    const found = await screened(log);
    expect(found).toMatchObject(expected);
    expect(found.verdict).toMatchObject({ dtype: "float64", engine: "torch 2.15.0" });
    expect(found.warning?.step).toBeLessThan(150);
    // Without a header, and without a flag, rows may be of mini-batches.
    const bare = await logOf("bare.jsonl", asLines(rows));
    expect((await screened(bare)).verdict.sentence).toMatch(/^As far as mini-batches show: SAM/);
    expect((await screened(bare, "--evidence", "probe")).verdict.sentence).toMatch(/^SAM/);
  });

  test("comma-separated values, sparse, under other names", async () => {
    const lines = rows.flatMap(({ step, loss, shiftedLoss, gradNorm, shiftedGradNorm, cosine }) => [
      `${step},,,,,,0.1,fast`,
      `${step},${loss},${shiftedLoss},${gradNorm},${shiftedGradNorm},${cosine},,`,
    ]);
    const head = "global_step,train/loss,shiftedLoss,train/gn,gn2,cosine,lr,note";
    const log = await logOf("metrics.csv", [head, ...lines, ""].join("\r\n"));
    const map = ["--map", "gradNorm=train/gn", "--map", "shiftedGradNorm=gn2"];
    expect(await screened(log, ...map)).toMatchObject(expected);
    // Without a map two columns are missing, and the log's own names are shown.
    const { out } = await lucid("screen", log);
    expect(out).toMatch(/^inconclusive: .*missing: gradNorm, shiftedGradNorm/);
    expect(out).toContain("train/gn, gn2");
  });

  test("TensorBoard events, in a folder of several files", async () => {
    const parts = [rows.slice(0, 100), rows.slice(100)];
    const events = inFolder("events");
    await mkdir(events);
    await Promise.all(
      parts.map((part, i) =>
        writeFile(
          join(events, `events.out.tfevents.${i}.host`),
          eventsOf(part, (name) => (name === "loss" ? "train/loss" : name)),
        ),
      ),
    );
    expect(await screened(events)).toMatchObject(expected);
    const file = join(events, "events.out.tfevents.0.host");
    const bytes = await readFile(file);
    bytes[400] = (bytes[400] ?? 0) ^ 1;
    await writeFile(file, bytes);
    expect(await lucid("screen", file)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^invalid event file .* \(it was damaged\)\n$/) as string,
    });
  });
});

describe("a log", () => {
  test("may hold NaN and Infinity as Python writes them, and end within a line", async () => {
    const rows = steps(60).map(learning);
    const bad = `{"step": 60, "loss": NaN, "shiftedLoss": Infinity, "gradNorm": -Infinity, "shiftedGradNorm": NaN, "cosine": NaN, "note": "NaN \\" Infinity"}\n`;
    const log = await logOf("nan.jsonl", `${asLines(rows)}${bad}{"step": 61, "lo`);
    expect(await screened(log)).toMatchObject({ verdict: { name: "diverged" }, rows: 61 });
  });

  test("that holds a loss alone says what is missing and the lines that add it", async () => {
    const log = await logOf("loss.jsonl", asLines(steps(60).map((step) => ({ step, loss: 1 }))));
    const { out, code } = await lucid("screen", log);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^inconclusive: .*missing: shiftedLoss, gradNorm, shiftedGradNorm, cosine\./,
    );
    expect(out).toContain("probe = Probe(model, criterion, train_loader, rho=0.05)");
    expect(out).toContain("probe() after each step");
  });

  test("of several runs is judged by the last, one that was continued as a whole", async () => {
    const again = asLines([...steps(300).map(stalling), ...steps(100).map(learning)]);
    expect(await screened(await logOf("two.jsonl", again))).toMatchObject({
      verdict: { name: "descending" },
      rows: 100,
      earlierRuns: 1,
    });
    const header = { lucid: 1, evidence: "probe" };
    const continued = [header, ...steps(200).map(stalling), header];
    const rest = steps(300).map(stalling).slice(150);
    const log = await logOf("continued.jsonl", asLines([...continued, ...rest]));
    expect(await screened(log)).toMatchObject({
      verdict: { name: "hallucinated-point", numbers: { steps: 300, rows: 300 } },
      earlierRuns: 0,
    });
  });

  test("tells that SAM was off, and that nothing moved", async () => {
    const rows = steps(60).map((step) => ({ ...learning(step), loss: 2, shiftedLoss: 2, lr: 0 }));
    const { remarks } = await screened(await logOf("off.jsonl", asLines(rows)));
    expect(remarks.join(" ")).toMatch(/SAM is off.*learning rate is 0.*loss is the same/);
    expect(
      (await screened(await logOf("on.jsonl", asLines(steps(60).map(learning))))).remarks,
    ).toEqual([]);
  });

  test("ends with exit code 3 where it was to fail on a warning", async () => {
    const stalled = await logOf("stalled.jsonl", asLines(steps(300).map(stalling)));
    const fine = await logOf("fine.jsonl", asLines(steps(300).map(learning)));
    const alarm = await lucid("screen", stalled, "--fail-on", "warning");
    expect(alarm).toMatchObject({
      code: 3,
      err: expect.stringMatching(/^warned at step \d+\n$/) as string,
    });
    expect(alarm.out).toMatch(/^hallucinated-point: /);
    expect((await lucid("screen", fine, "--fail-on", "warning")).code).toBe(0);
    expect((await lucid("screen", stalled)).code).toBe(0);
  });

  test("is kept as a page, with its picture", async () => {
    const page = inFolder("page.html");
    const log = await logOf("page.jsonl", asLines(steps(300).map(stalling)));
    await lucid("screen", log, "--html", page);
    const html = await readFile(page, "utf8");
    expect(html).toContain("<h1>Hallucinated point</h1>");
    expect(html).toMatch(/<strong>Warned at step \d+\.<\/strong>/);
    expect(html.match(/<svg /g)).toHaveLength(1);
    // The page's own script, below what is shown, has such words.
    const [shown = ""] = html.split("<script>");
    expect(shown).toContain("</table>");
    expect(shown).not.toMatch(/NaN|undefined|\[object/);
  });
});

test.each<[string, string, string, string[], RegExp]>([
  ["no log", "none.jsonl", "", [], /^missing file .*none\.jsonl/],
  [
    "a line of something else",
    "words.jsonl",
    '{"step": 0, "loss": 1}\nwords\n',
    [],
    /^invalid log .*words\.jsonl: line 2/,
  ],
  [
    "a damaged line of a run of ours",
    "check.jsonl",
    '{"step":0,"loss":1,"check":"00000000"}\n',
    [],
    /^invalid log .*line 1 .*damaged/,
  ],
  [
    "a picture",
    "picture.png",
    "\u0089PNG\r\n\u001a\n\0\0\0\0\0\0",
    [],
    /^invalid log .*neither text nor/,
  ],
  [
    "a text without numbers",
    "page.html",
    "<!doctype html>\n<title>A page</title>\n<p>Words</p>\n",
    [],
    /^invalid log .*page\.html: no line of it has a number \(give JSON lines, CSV or/,
  ],
  [
    "an unknown column",
    "words.jsonl",
    '{"step": 0}\n',
    ["--map", "grad=gn"],
    /^unknown column "grad"/,
  ],
  [
    "one name for two columns",
    "words.jsonl",
    '{"step": 0}\n',
    ["--map", "loss=a", "--map", "cosine=a"],
    /^invalid map: "a" stands for two columns/,
  ],
  [
    "an unknown kind of evidence",
    "words.jsonl",
    '{"step": 0}\n',
    ["--evidence", "none"],
    /^unknown evidence "none"/,
  ],
  [
    "something else to fail on",
    "words.jsonl",
    '{"step": 0}\n',
    ["--fail-on", "verdict"],
    /^unknown fail-on "verdict"/,
  ],
  [
    "a document without end",
    "words.jsonl",
    '{"step": 0}\n',
    ["--follow", "--json"],
    /^invalid --json/,
  ],
])("refused in one line: %s", async (_, name, text, flags, message) => {
  const log = text === "" ? inFolder(name) : await logOf(name, text);
  const { code, out, err } = await lucid("screen", log, ...flags);
  expect(err).toMatch(message);
  expect(err.split("\n")).toHaveLength(2);
  expect([code, out]).toEqual([2, ""]);
});

describe("a run of our own", () => {
  const runs: [string, string][] = [
    ["stalled at a hallucinated point", "--rho 2 --lr 0.05 --steps 900"],
    ["learning", "--rho 0.05 --lr 0.2 --steps 400"],
    ["in mini-batches", "--rho 0.05 --lr 0.1 --batch 10 --steps 300"],
    ["with momentum", "--rho 3 --lr 0.02 --momentum 0.9 --steps 500"],
    ["diverging", "--rho 0.5 --lr 1e4 --steps 100"],
  ];
  test.each(runs)("has the verdict that it had: %s", async (name, flags) => {
    const run = inFolder(name.replaceAll(" ", "-"));
    const network = "--data digits --n 30 --pool 2 --hidden 8".split(" ");
    const trained = await lucid("train", ...network, ...flags.split(" "), "--out", run, "--json");
    const { verdict, warning } = JSON.parse(trained.out) as {
      verdict: { name: string };
      warning: { step: number } | null;
    };
    for (const log of [run, join(run, "metrics.jsonl")]) {
      const found = await screened(log);
      expect(found.verdict.name).toBe(verdict.name);
      expect(found.warning?.step).toBe(warning?.step);
      expect(found.verdict.sentence.startsWith("As far as mini-batches")).toBe(
        flags.includes("--batch"),
      );
    }
  });
});

describe("--follow", () => {
  /** The command in a process of its own, and what it has said so far. */
  function follow(log: string, ...flags: string[]) {
    const cli = join(import.meta.dirname, "../../../bin/lucid.js");
    const child = spawn(process.execPath, [
      "--conditions=source",
      cli,
      "screen",
      log,
      "--follow",
      ...flags,
    ]);
    let said = "";
    child.stdout.on("data", (data: Buffer) => (said += String(data)));
    const until = async (words: RegExp, milliseconds = 60_000) => {
      const began = performance.now();
      while (!words.test(said)) {
        if (performance.now() - began > milliseconds) throw new Error(`${words} not in: ${said}`);
        await sleep(50);
      }
      return performance.now() - began;
    };
    return { child, until, ended: once(child, "exit"), said: () => said };
  }

  test("warns within two seconds of the row, through truncation, rotation and a late start", async () => {
    const log = inFolder("growing.jsonl");
    const { child, until, ended, said } = follow(log);
    await sleep(300);
    await writeFile(log, asLines(steps(60).map(learning)));
    await until(/descending/);
    expect(said()).not.toMatch(/SAM/);
    // Cut off and written anew: another run.
    await writeFile(log, asLines(steps(30).map(stalling)));
    await sleep(600);
    // Rotated: the run goes on in another file.
    await rename(log, `${log}.1`);
    const line = JSON.stringify(stalling(30));
    await writeFile(log, line.slice(0, 20));
    await sleep(600);
    await appendFile(log, `${line.slice(20)}\n`);
    await sleep(600);
    expect(said()).not.toMatch(/SAM steps/);
    await appendFile(log, asLines(steps(200).map(stalling).slice(31)));
    expect(await until(/step \d+: As far as mini-batches show: SAM steps/)).toBeLessThan(2000);
    child.kill("SIGINT");
    expect(await ended).toEqual([130, null]);
    expect(said()).toMatch(/hallucinated-point: .*SAM has stalled/);
    expect(said()).toMatch(/200 rows, steps 0 to 199/);
  });

  test("ends with exit code 3 at the first warning where it was to fail on one", async () => {
    const log = await logOf("failing.jsonl", asLines(steps(300).map(stalling)));
    const { ended } = follow(log, "--fail-on", "warning");
    expect(await ended).toEqual([3, null]);
  });
});
