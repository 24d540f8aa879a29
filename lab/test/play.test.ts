/**
 * Long play: one page goes through all three views again and again, and what it holds is measured.
 * A few rounds by default; `LUCID_PLAY_MINUTES=30` plays so long, `LUCID_PLAY_SHARE=0.3` that part of
 * each minute, and rests else.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { useSite } from "./site.ts";
import { drop, type DroppedFile } from "./drop.ts";
import { makeStored } from "./stored.ts";

const { open } = useSite();
const minutes = Number(process.env["LUCID_PLAY_MINUTES"] ?? 0);
const share = Number(process.env["LUCID_PLAY_SHARE"] ?? 1);
/** Rounds where no minutes are given. */
const fewRounds = 4;
const patient = { timeout: 300_000 };

let folder = "";
/** What is dropped. */
let files: readonly DroppedFile[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-play-"));
  await makeStored(join(folder, "stored"));
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  files = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async ({ parentPath, name }) => ({
        path: relative(folder, join(parentPath, name)),
        base64: await readFile(join(parentPath, name), "base64"),
      })),
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const go = (page: Page, hash: string) =>
  page.evaluate((next) => {
    location.hash = next;
  }, hash);
const press = (page: Page, name: string | RegExp) =>
  page.getByRole("button", { name, exact: typeof name === "string" }).click(patient);

/** ρ moves, runs race, play and are followed in ρ, and starts are sorted into basins. */
async function playPlanes(page: Page): Promise<void> {
  const sentence = page.locator("[data-sentence]");
  await go(page, "#planes?problem=ridge&rho=1.6&lr=0.02&steps=300&turn=50&rival=exact-sam");
  await sentence.getByText("SAM stopped here").waitFor(patient);
  const rho = page.getByRole("slider", { name: /^ρ/ });
  await rho.focus();
  for (let i = 0; i < 20; i++) await page.keyboard.press(i < 10 ? "ArrowLeft" : "ArrowRight");
  await press(page, "Play");
  await page.waitForTimeout(1000);
  await press(page, "Pause");
  await press(page, "Follow in ρ");
  await page.getByText("turns back at").first().waitFor(patient);
  await go(page, "#planes?problem=wide-narrow&rho=2.5&steps=400&layer=basins&cells=48&budget=500");
  await page.getByText("48 × 48 starts, at most 500 steps each").waitFor(patient);
  await page.locator(".legend li").first().waitFor(patient);
  await go(page, "#planes?problem=expression&rho=1&steps=200");
  await page.getByRole("textbox", { name: /^f\(x₁, x₂\)/ }).waitFor(patient);
  await sentence.getByText(/SAM/).waitFor(patient);
}

/** A network trains, is switched, is forked from the start, and is certified. */
async function playNetworks(page: Page): Promise<void> {
  const over = page.getByRole("button", { name: "Play again" });
  await go(page, "#networks?problem=regression&rho=2&steps=300&seconds=0");
  for (let i = 0; i < 2; i++) {
    await press(page, "Step");
    await page
      .getByRole("button", { name: "Step", exact: true })
      .and(page.locator(":enabled"))
      .waitFor(patient);
  }
  await press(page, /^Certify step/);
  await page.getByText(/, from step \d+/).waitFor(patient);
  await press(page, "Switch now");
  await over.waitFor(patient);
  await press(page, "Restart with descent");
  await over.waitFor(patient);
  await press(page, "Drop the fork");
}

/** Files good and damaged are dropped, opened and forgotten. */
async function playRuns(page: Page): Promise<void> {
  await go(page, "#runs");
  await drop(page, files);
  for (const [path, words] of [
    ["good", "8 of 8 cells done"],
    ["bad", "invalid file stored/bad/rows.jsonl"],
    ["packed.jsonl.gz", "8 of 8 cells done"],
    ["runs/ä b#1", "At step 4,000"],
    ["valley/landscape.jsonl", "49 places on 7 × 7"],
    ["torch/metrics.csv", "Missing columns"],
    ["torch/broken.safetensors", "invalid file stored/torch/broken.safetensors"],
  ] as const) {
    const item = page.locator(".path").getByText(`stored/${path}`, { exact: true });
    await item.click(patient);
    await page.locator(".shown").getByText(words).first().waitFor(patient);
  }
  await press(page, "Forget what was dropped");
  await page
    .locator(".path")
    .first()
    .waitFor({ state: "detached", ...patient });
  await go(page, "#runs");
}

/** What a page holds when it rests and its garbage is gone. */
async function held(page: Page, session: Awaited<ReturnType<typeof sessionOf>>) {
  // What waits for rest is done, and workers that were ended are gone.
  await page.waitForTimeout(2000);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize, backingStorageSize = 0 } = (await session.send("Runtime.getHeapUsage")) as {
    readonly usedSize: number;
    readonly backingStorageSize?: number;
  };
  const { nodes, jsEventListeners } = await session.send("Memory.getDOMCounters");
  return {
    heap: usedSize / 1e6,
    buffers: backingStorageSize / 1e6,
    nodes,
    listeners: jsEventListeners,
    workers: page.workers().length,
  };
}
const sessionOf = (page: Page) => page.context().newCDPSession(page);

const middle = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

test(
  "playing in all views for long leaves heap, nodes, listeners and workers flat",
  { timeout: 600_000 + 2 * 60_000 * minutes },
  async () => {
    const page = await open("#runs");
    const session = await sessionOf(page);
    const seen: Awaited<ReturnType<typeof held>>[] = [];
    const began = performance.now();
    const since = () => (performance.now() - began) / 60_000;
    let rounds = 0;
    while (minutes > 0 ? since() < minutes : rounds < fewRounds) {
      const minute = Math.floor(since());
      do {
        await playPlanes(page);
        await playNetworks(page);
        await playRuns(page);
        rounds++;
      } while (minutes > 0 && since() < minute + share);
      const now = await held(page, session);
      seen.push(now);
      const { heap, buffers, nodes, listeners, workers } = now;
      console.info(
        `${since().toFixed(1)} minutes, ${rounds} rounds: heap ${heap.toFixed(2)} MB, buffers ${buffers.toFixed(2)} MB, ${nodes} nodes, ${listeners} listeners, ${workers} workers`,
      );
      const rest = minutes > 0 ? Math.ceil(since()) - since() : 0;
      await page.waitForTimeout(60_000 * rest);
    }
    // What loads once has loaded after the first of them.
    const [, ...later] = seen;
    const third = Math.ceil(later.length / 3);
    const grown = (value: (of: (typeof seen)[number]) => number) =>
      middle(later.slice(-third).map(value)) - middle(later.slice(0, third).map(value));
    expect(grown(({ heap }) => heap)).toBeLessThan(2);
    expect(grown(({ buffers }) => buffers)).toBeLessThan(2);
    expect(grown(({ nodes }) => nodes)).toBeLessThan(100);
    expect(grown(({ listeners }) => listeners)).toBeLessThan(20);
    expect(grown(({ workers }) => workers)).toBeLessThanOrEqual(0);
  },
);
