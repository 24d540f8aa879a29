/** The networks view as people use it: it plays, is paused, scrubbed, switched, forked, certified and linked. */
import type { Page } from "playwright";
import { expect, test } from "vitest";
import { useSite, violationsOn } from "./site.ts";

const { open } = useSite();
const short = "#networks?problem=regression&rho=2&steps=300&seconds=0";

const hash = (page: Page) => new URL(page.url()).hash;
const field = (page: Page, name: string) => new URLSearchParams(hash(page).split("?")[1]).get(name);
const button = (page: Page, name: string | RegExp) =>
  page.getByRole("button", { name, exact: typeof name === "string" });
const over = (page: Page) => button(page, "Play again").waitFor({ timeout: 100_000 });
/** A row of the table of numbers: this run, and the fork. */
const numbers = (page: Page, name: string) =>
  page
    .getByRole("row", { name: new RegExp(`^${name} `) })
    .getByRole("cell")
    .allInnerTexts();

test("an address that plays runs by itself, and says what came of it and where", async () => {
  const page = await open(`${short}&play=1`);
  await over(page);
  await page.getByText("300 of 300").waitFor();
  await page.getByText(/^native, cpu, 1 thread, in this browser, build \d/).waitFor();
  await page
    .getByRole("img", { name: /^Loss by step\. f\(x\), the loss: from .* at step 299/ })
    .waitFor();
  await page
    .getByRole("img", { name: /^16 points and the curve .* at the ascent point/ })
    .waitFor();
  await expect.poll(() => page.locator("[data-announced]").textContent()).toContain("over");
});

test("with less motion nothing plays unasked, and what is asked for is computed", async () => {
  const page = await open(`${short}&play=true`, { reducedMotion: "reduce" });
  await page.getByText(/^Ready: /).waitFor();
  await button(page, "Play").click();
  await over(page);
});

test("a run is taken step by step, scrubbed by keys, and a link restores where it stood", async () => {
  const page = await open(short);
  await button(page, "Step").click();
  await expect.poll(() => field(page, "at")).not.toBeNull();
  const first = Number(field(page, "at"));
  await button(page, "Step").click();
  await expect.poll(() => Number(field(page, "at"))).toBeGreaterThan(first);
  await page.getByRole("slider", { name: "Step" }).focus();
  await page.keyboard.press("ArrowLeft");
  await expect.poll(() => Number(field(page, "at"))).toBe(first);
  await page.keyboard.press("ArrowRight");
  const at = Number(field(page, "at"));
  const shown = await numbers(page, "f\\(x\\)");
  const other = await open(hash(page));
  await other.getByText(`${at} of 300`).waitFor();
  expect(await numbers(other, "f\\(x\\)")).toEqual(shown);
  expect(await numbers(other, "step")).toEqual([String(at)]);
});

test("a run is switched in place, and its link gives the same numbers", async () => {
  const page = await open(short);
  for (const _ of [1, 2, 3]) {
    const before = field(page, "at");
    await button(page, "Step").click();
    await expect.poll(() => field(page, "at")).not.toBe(before);
  }
  const at = field(page, "at");
  await button(page, "Switch now").click();
  await over(page);
  expect(field(page, "turns")).toBe(`${at}:gd`);
  expect(await numbers(page, "GradRatio")).toEqual(["1"]);
  const end = await numbers(page, "f\\(x\\)");
  const linked = await open(hash(page));
  await over(linked);
  expect(await numbers(linked, "f\\(x\\)")).toEqual(end);
});

test("a fork runs beside, from the step shown or from the start, and is dropped", async () => {
  const page = await open(`${short}&play=true`);
  await over(page);
  await button(page, "Restart with descent").click();
  await over(page);
  expect(field(page, "fork")).toBe("0:gd");
  const [step, forked] = await numbers(page, "step");
  expect([step, forked]).toEqual(["300", "300"]);
  const [sam, descent] = await numbers(page, "f\\(x\\)");
  expect(Number(descent)).toBeLessThan(Number(sam));
  await button(page, "Drop the fork").click();
  await expect.poll(() => numbers(page, "step")).toEqual(["300"]);
  const unchanged = await open(`${short}&fork=100&play=true`);
  await over(unchanged);
  const [run, same] = await numbers(unchanged, "‖g⁺‖");
  expect(same).toBe(run);
});

test("where a run stands is certified in float64, and a certificate is cancelled", async () => {
  const page = await open(`${short}&at=40`);
  await button(page, "Certify step 40").click();
  await button(page, "Cancel").click();
  await button(page, "Certify step 40").click();
  await page.getByText(/, from step 40/).waitFor();
  await page.getByText("All numbers, as the command line prints them").click();
  await page.getByText(/^Certified: regression, 7 parameters/).waitFor();
});

test("digits are learned: weights as images, accuracy, and what is exported", async () => {
  const page = await open(
    "#networks?problem=mlp&n=100&hidden=8&steps=60&lr=0.1&seconds=1&play=true",
  );
  await over(page);
  await page.getByText("layers/0/weight: 8 of 8 units as images").waitFor();
  expect((await numbers(page, "right, training"))[0]).toMatch(/^\d+\.\d %, test \d+\.\d %$/);
  const saved = async (name: string) => {
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      button(page, name).click(),
    ]);
    const chunks: Buffer[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  };
  const json = JSON.parse((await saved("JSON")).toString()) as {
    readonly build: string;
    readonly outcome: { readonly engine: object; readonly rows: readonly object[] };
  };
  expect(json.outcome.engine).toMatchObject({ name: "native", device: "cpu, 1 thread" });
  expect(json.outcome.rows).toHaveLength(60);
  expect(json.build).toMatch(/^\d+\.\d+\.\d+/);
  expect((await saved("CSV")).toString().split("\n")).toHaveLength(62);
  expect((await saved("SVG")).toString()).toContain("Loss while training");
  expect((await saved("PNG")).subarray(1, 4).toString()).toBe("PNG");
});

test("numbers that are not finite are said, and a setting that cannot be is refused in one line", async () => {
  const page = await open(
    "#networks?problem=regression&method=gd&lr=1000&steps=3000&seconds=1&play=true",
  );
  await page.getByText(/^Diverged: the numbers are not finite from step \d+ on/).waitFor();
  await over(page);
  const before = hash(page);
  await page.getByLabel("η").fill("-1");
  await page.getByLabel("η").press("Enter");
  await expect
    .poll(() => page.getByRole("alert").innerText())
    .toBe("invalid lr: -1 (give a number, above 0)");
  expect(hash(page)).toBe(before);
  expect(await page.getByLabel("η").inputValue()).toBe("1000");
});

test.each(["light", "dark"] as const)(
  "axe finds nothing wrong with a run that is over, %s",
  async (colorScheme) => {
    const page = await open(`${short}&fork=0:gd&play=true`, { colorScheme });
    await over(page);
    await page.getByText("All settings").click();
    await button(page, /^Certify/).click();
    await page.getByText(/, from step 300/).waitFor();
    await page.getByText("All numbers, as the command line prints them").click();
    expect(await violationsOn(page)).toEqual([]);
  },
);

test.each([360, 3840])("a run fits into a window of %d pixels", async (width) => {
  const page = await open(`${short}&fork=0:gd&play=true`, { viewport: { width, height: 800 } });
  await over(page);
  await page.getByText("All settings").click();
  const wide = await page.evaluate(() =>
    Array.from(document.querySelectorAll("main *"), (element) => ({
      tag: element.outerHTML.slice(0, 80),
      right: element.getBoundingClientRect().right,
      inside: element.closest(".numbers, pre, .chart") !== null,
    })).filter(
      ({ right, inside }) => !inside && right > document.documentElement.clientWidth + 0.5,
    ),
  );
  expect(wide).toEqual([]);
});

test("memory does not grow from one play to the next", async () => {
  const page = await open(`${short}&play=true`);
  const session = await page.context().newCDPSession(page);
  const heap = async () => {
    await session.send("HeapProfiler.collectGarbage");
    return (await session.send("Runtime.getHeapUsage")).usedSize;
  };
  await over(page);
  const sizes: number[] = [];
  for (let play = 0; play < 4; play++) {
    await button(page, "Play again").click();
    await button(page, "Pause").waitFor({ state: "attached" });
    await over(page);
    sizes.push(await heap());
  }
  console.info(`heap after plays: ${sizes.map((size) => (size / 1e6).toFixed(2)).join(", ")} MB`);
  expect((sizes[3] ?? Infinity) - (sizes[0] ?? 0)).toBeLessThan(1e6);
});
