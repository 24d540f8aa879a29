/** The planes view as people use it: pointer, keys, links, a function of one's own, and the story. */
import type { Page } from "playwright";
import { expect, test } from "vitest";
import { useSite, violationsOn } from "./site.ts";

const { open } = useSite();
const ridge = "#planes?problem=ridge&rho=1.6&lr=0.02&steps=300";

const sentence = (page: Page) => page.locator("[data-sentence]").innerText();
const hash = (page: Page) => new URL(page.url()).hash;
/** The colors of the right map. */
const picture = (page: Page) =>
  page
    .locator("figure canvas.base")
    .last()
    .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
const stopped = "SAM stopped here. The slope is 1.4. It believes it is 0.";
const field = (page: Page, name: string) => new URLSearchParams(hash(page).split("?")[1]).get(name);

test("SAM stops on a slope, is certified there in float64, and followed in ρ", async () => {
  const page = await open(ridge);
  await expect.poll(() => sentence(page)).toBe(stopped);
  await expect.poll(() => page.locator("[data-announced]").textContent()).toBe(stopped);
  await page.getByText(/^Step \d+: SAM steps hardly lower the loss/).waitFor();
  await page.getByRole("button", { name: "Follow in ρ" }).click();
  await page.getByText("turns back at ρ = 1.2").waitFor();
  await page.getByRole("button", { name: "Certify here" }).click();
  await page.getByText("hallucinated minimizer", { exact: true }).waitFor({ timeout: 100_000 });
  await page.getByText("The numbers", { exact: true }).click();
  await page.getByRole("row", { name: "slope ‖g‖ 1.44" }).waitFor();
  await page.getByText(/^float64, native/).waitFor();
});

test("keys on the slider of ρ change the picture and the address, and going back undoes a choice", async () => {
  const page = await open(ridge);
  await expect.poll(() => sentence(page)).toBe(stopped);
  const before = await picture(page);
  await page.getByRole("slider", { name: /^ρ/ }).focus();
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => field(page, "rho")).toBe("1.61");
  await expect.poll(() => picture(page)).not.toBe(before);
  await page.getByRole("combobox", { name: "Plane" }).selectOption("cosine");
  await expect.poll(() => field(page, "problem")).toBe("cosine");
  await page.goBack();
  await expect.poll(() => page.getByRole("combobox", { name: "Plane" }).inputValue()).toBe("ridge");
});

test("the start is dragged, clicked and moved by keys, and a link brings it back", async () => {
  const page = await open(ridge);
  await expect.poll(() => sentence(page)).toBe(stopped);
  const map = page.locator("figure canvas:not(.base)").first();
  const box = await map.boundingBox();
  if (!box) throw new Error("no map");
  const at = (x1: number, x2: number) =>
    [box.x + ((x1 + 1.75) / 3.5) * box.width, box.y + ((3 - x2) / 6) * box.height] as const;
  await page.mouse.move(...at(-0.25, 0.75));
  await page.mouse.down();
  await page.mouse.move(...at(0.3, 1.2), { steps: 5 });
  await page.mouse.move(...at(0.5, 1.5), { steps: 5 });
  await page.mouse.up();
  const start = () => (field(page, "start") ?? "").split(",").map(Number);
  await expect.poll(() => start()[0]).toBeCloseTo(0.5, 1);
  expect(start()[1]).toBeCloseTo(1.5, 1);
  await page.mouse.click(...at(-1.2, -2));
  await expect.poll(() => start()[0]).toBeCloseTo(-1.2, 1);
  const [x1 = NaN, x2 = NaN] = start();
  await page.getByRole("button", { name: /^Start at/ }).focus();
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => start()[0]).toBeCloseTo(x1 + 0.0175, 3);
  await page.keyboard.press("Shift+ArrowUp");
  await expect.poll(() => start()[1]).toBeCloseTo(x2 + 0.3, 3);
  const [a, b] = start();
  const link = hash(page);
  const other = await open(link);
  await other.getByRole("button", { name: `Start at ${a}, ${b}.` }).waitFor({ state: "attached" });
  await expect.poll(() => sentence(other)).toBe(await sentence(page));
});

test("a run plays, pauses, steps and is scrubbed, and the step is in the address", async () => {
  const page = await open(ridge);
  await expect.poll(() => sentence(page)).toBe(stopped);
  const step = () => page.getByRole("slider", { name: /^Step/ }).inputValue().then(Number);
  expect(await step()).toBe(300);
  await page.getByRole("button", { name: "Play" }).click();
  await expect.poll(step).toBeGreaterThan(3);
  await page.getByRole("button", { name: "Pause" }).click();
  const paused = await step();
  expect(paused).toBeLessThan(300);
  await expect.poll(() => field(page, "shown")).toBe(String(paused));
  await page.getByRole("button", { name: "Step", exact: true }).click();
  expect(await step()).toBe(paused + 1);
  await page.getByRole("button", { name: "Back to the start" }).click();
  expect(await sentence(page)).toBe(
    "SAM stands on a slope of 0.89. Where it looks, the slope is 4.",
  );
  await page.getByRole("img", { name: /^Loss by step/ }).click();
  await expect.poll(step).toBeGreaterThan(100);
  await page.getByRole("slider", { name: /^Step/ }).focus();
  await page.keyboard.press("End");
  await expect.poll(() => sentence(page)).toBe(stopped);
  await expect.poll(() => field(page, "shown")).toBeNull();
});

test("methods race: the switch that saves, a rival, and one with memory by the engine", async () => {
  const page = await open("#planes?problem=wide-narrow&rho=2.5&steps=400&turn=100&rival=exact-sam");
  const runs = page.locator(".runs li");
  await expect.poll(() => runs.count()).toBe(4);
  await expect
    .poll(() => runs.allInnerTexts())
    .toEqual([
      "SAM: stopped on a slope, f = 0.575",
      "Descent for 100 steps, then SAM: to and fro around a minimizer, f = 0.00866",
      "Plain descent: on its way, f = 0.000213",
      expect.stringMatching(/^The exact gradient of f\(x⁺\)|^Exact|^.*SAM.*: /),
    ]);
  await page.getByRole("combobox", { name: "Method" }).selectOption("vasso");
  await page
    .getByText(/an engine computes it \(it remembers/)
    .first()
    .waitFor();
  await expect.poll(() => runs.count(), { timeout: 60_000 }).toBe(4);
  expect(await sentence(page)).toMatch(/./);
});

test("a function of one's own is mapped, walked, certified; what is wrong is said beside it", async () => {
  const page = await open("#planes?problem=cosine&rho=4&steps=200");
  await page.getByRole("combobox", { name: "Plane" }).selectOption("expression");
  const formula = page.getByRole("textbox", { name: /^f\(x₁, x₂\)/ });
  await formula.fill("-cos(x1) + x2^2/2");
  await formula.press("Enter");
  await expect.poll(() => field(page, "f")).toBe("-cos(x1)+x2^2/2");
  await page.getByRole("spinbutton", { name: "x₁ to" }).fill("8");
  await page.keyboard.press("Tab");
  await expect.poll(() => field(page, "range")).toBe("-2,8,-2,2");
  await expect.poll(() => sentence(page)).toMatch(/SAM/);
  await formula.fill("cos(x1");
  await formula.press("Enter");
  await page.getByText(/^invalid f: cos\(x1 \(expected \) at character 6\)/).waitFor();
  expect(await formula.getAttribute("aria-invalid")).toBe("true");
  await formula.fill("-cos(x1)+x2^2/2+0*x1");
  await formula.press("Enter");
  await expect.poll(() => formula.getAttribute("aria-invalid")).toBeNull();
  await expect.poll(() => sentence(page)).toMatch(/^SAM stopped/);
  await page.getByRole("button", { name: "Certify here" }).click();
  await page.getByText("hallucinated minimizer", { exact: true }).waitFor({ timeout: 100_000 });
});

test("a function that is no number at its start shows no other, and is drawn once a start is given", async () => {
  const page = await open("#planes?problem=expression&rho=0.1&lr=0.01&f=log(x1)");
  await page
    .getByText(/^invalid f: log\(x1\) is NaN, .* \(give a start where both are finite\)$/)
    .waitFor();
  expect(await sentence(page)).toBe("There is no picture of this yet.");
  // Neither the marks nor the colors of another function.
  expect(await page.getByRole("list", { name: "Marks" }).innerText()).toBe("◯ start");
  /** How many colors the left map has between two hundredths of its width. */
  const colors = (from: number, to: number) =>
    page
      .locator("figure canvas.base")
      .first()
      .evaluate(
        (canvas, [from, to]) => {
          const copy = document.createElement("canvas");
          [copy.width, copy.height] = [100, 100];
          const context = copy.getContext("2d");
          context?.drawImage(canvas as HTMLCanvasElement, 0, 0, 100, 100);
          const part = context?.getImageData(from, 0, to - from, 100);
          return new Set(new Uint32Array(part?.data.buffer ?? new ArrayBuffer())).size;
        },
        [from, to] as const,
      );
  expect(await colors(0, 100)).toBe(1);
  expect(await page.getByRole("button", { name: "SVG", exact: true }).count()).toBe(0);
  const map = page.locator("figure canvas:not(.base)").first();
  const box = await map.boundingBox();
  if (!box) throw new Error("no map");
  await page.mouse.click(box.x + 0.8 * box.width, box.y + 0.5 * box.height);
  await expect
    .poll(() => sentence(page))
    .toBe(
      "SAM has stepped where the function is no number. A smaller ρ or learning rate η may keep it from there.",
    );
  expect(await page.getByText(/^invalid f/).count()).toBe(0);
  await page.getByRole("button", { name: "SVG", exact: true }).waitFor();
  // Shaders too leave blank where the logarithm is none.
  await expect.poll(() => colors(55, 100)).toBeGreaterThan(5);
  expect(await colors(0, 45)).toBe(1);
});

test("a map of basins says its budget, its classes, and takes more steps", async () => {
  const page = await open(`${ridge}&layer=basins&cells=64`);
  await page.getByText("64 × 64 starts, at most 2000 steps each").waitFor();
  await expect
    .poll(() => page.locator(".legend").innerText())
    .toMatch(/a hallucinated point, 99 %/);
  await page.getByRole("button", { name: "4 times the steps" }).click();
  await expect.poll(() => field(page, "budget")).toBe("8000");
  await page.getByText("at most 8000 steps each").waitFor();
});

/** What a button saves. */
async function savedBy(page: Page, name: string): Promise<Buffer> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name, exact: true }).click(),
  ]);
  const chunks: Buffer[] = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test("a map of basins is in the SVG, with its legend, in place of what SAM sees", async () => {
  const page = await open(`${ridge}&layer=basins&cells=64`, { acceptDownloads: true });
  await page.getByText("64 × 64 starts, at most 2000 steps each").waitFor();
  await expect.poll(() => page.locator(".legend").innerText()).toMatch(/hallucinated point, 99 %/);
  await expect.poll(() => page.getByText(/of them so far/).count()).toBe(0);
  const svg = String(await savedBy(page, "SVG"));
  expect(svg).toMatch(/^<svg [\s\S]*Where SAM ends within 2,000 steps</);
  expect(svg).not.toContain("What SAM sees");
  expect(svg).toContain("hallucinated: g⁺ = 0, g ≠ 0");
  expect(svg).not.toContain("out of bounds");
  // Of 64 × 64 cells nearly all are of one color: few shapes, in cells.
  const [, cells = ""] = /viewBox="0 0 64 64"[^>]*>(.*?)<\/svg>/s.exec(svg) ?? [];
  expect(cells).toMatch(/<path d="M[^"]+" fill="#8e0f43"/);
  expect(cells.length).toBeLessThan(20_000);
});

test("slopes, arrows, hallucinated points and a branch are in the SVG as on the page, and the PNG is made of it", async () => {
  const page = await open(`${ridge}&layer=slope`, { acceptDownloads: true });
  await expect.poll(() => sentence(page)).toBe(stopped);
  await page.getByRole("button", { name: "Follow in ρ" }).click();
  await page.getByText("turns back at ρ = 1.2").first().waitFor();
  await page.getByRole("list", { name: "Marks" }).getByText("hallucinated minimizer").waitFor();
  const svg = String(await savedBy(page, "SVG"));
  const said = [
    "‖g⁺‖, the slope that it sees, at ρ = 1.6, and its way −g⁺<",
    "turns at ρ = 1.20<",
    ">hallucinated minimizer<",
    ">start<",
    'aria-label="vector"',
    // The color of the least slopes.
    'fill="rgb(178,140,188)"',
  ];
  expect(said.filter((words) => !svg.includes(words))).toEqual([]);
  const png = await savedBy(page, "PNG");
  const [, width, height] = /^<svg [^>]*width="(\d+)" height="([\d.]+)"/.exec(svg) ?? [];
  expect(png.readUInt32BE(16)).toBe(2 * Number(width));
  expect(png.readUInt32BE(20)).toBeCloseTo(2 * Number(height), -1);
  // What is not shown is not drawn.
  await page.getByText("Layers, race and settings").click();
  await page.getByRole("checkbox", { name: "arrows of −g⁺" }).uncheck();
  await page.getByRole("radio", { name: "f(x⁺)" }).check();
  await page.getByRole("button", { name: "Follow in ρ" }).click();
  const plain = String(await savedBy(page, "SVG"));
  expect(plain).toContain("f(x⁺), what SAM sees, at ρ = 1.6<");
  expect(said.filter((words) => plain.includes(words))).toEqual([
    ">hallucinated minimizer<",
    ">start<",
  ]);
});

test("what is shown is saved as SVG, PNG, CSV and JSON, and copied as a command", async () => {
  const page = await open(ridge, { acceptDownloads: true });
  await expect.poll(() => sentence(page)).toBe(stopped);
  const saved = (name: string) => savedBy(page, name);
  expect(String(await saved("SVG"))).toMatch(/^<svg [\s\S]*SAM stopped here/);
  expect((await saved("PNG")).subarray(1, 4).toString()).toBe("PNG");
  const csv = String(await saved("CSV")).split("\n");
  expect(csv[0]).toBe("run,step,x1,x2,ahead1,ahead2,loss,shiftedLoss,gradNorm,shiftedGradNorm");
  expect(csv).toHaveLength(2 + 2 * 301);
  const json = JSON.parse(String(await saved("JSON"))) as {
    readonly spec: { readonly rho: number };
    readonly runs: readonly { readonly stand: { readonly kind: string } }[];
  };
  expect(json.spec.rho).toBe(1.6);
  expect(json.runs.map(({ stand }) => stand.kind)).toEqual(["stopped", "minimizer"]);
});

test("untouched, the first address tells its story in 60 seconds and hands over", async () => {
  const page = await open("", {}, (page) => page.clock.install());
  const caption = () => page.locator(".story .caption").innerText();
  await page.clock.runFor(2000);
  await expect.poll(caption).toMatch(/^The left map is a loss/);
  const stations: string[] = [];
  for (let second = 2; second <= 62; second += 2) {
    await page.clock.fastForward(2000);
    const now = await caption();
    if (now !== stations.at(-1)) stations.push(now);
  }
  expect(stations).toHaveLength(7);
  expect(field(page, "problem")).toBe("wide-narrow");
  const link = page.getByRole("link", { name: /See it train/ });
  expect(await link.getAttribute("href")).toMatch(/^#networks\?problem=regression/);
});

test("any touch stops the story and gives the page to the reader", async () => {
  const page = await open("");
  await page.locator(".story .caption").waitFor();
  await page.keyboard.press("ArrowDown");
  await page.getByRole("button", { name: /^Tell the story/ }).waitFor();
  await page.getByRole("button", { name: /^Tell the story/ }).click();
  await page.locator(".story .caption").waitFor();
  await page.locator("figure canvas:not(.base)").first().click();
  await page.getByRole("button", { name: /^Tell the story/ }).waitFor();
});

test("where motion is reduced, stations stand still until the next is asked for", async () => {
  const page = await open("", { reducedMotion: "reduce" });
  await page.getByText("1 of 7").waitFor();
  for (let station = 2; station <= 7; station++) {
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByText(`${station} of 7`).waitFor();
  }
  await expect
    .poll(() => sentence(page))
    .toBe("SAM stopped here. The slope is 0.32. It believes it is 0.");
  await page.getByRole("link", { name: /See it train/ }).waitFor();
});

test.each([
  [ridge, "light", 1280],
  [`${ridge}&layer=basins&cells=32`, "dark", 360],
  ["#planes?problem=expression&rho=1", "light", 360],
  ["#planes?problem=cosine&rho=4&turn=5&rival=asam", "dark", 2560],
  ["", "light", 1280],
] as const)(
  "axe finds nothing wrong with %s, %s, at %d pixels",
  async (hash, colorScheme, width) => {
    const page = await open(hash, { colorScheme, viewport: { width, height: 900 } });
    await expect.poll(() => sentence(page)).toMatch(/SAM/);
    await page.locator("summary").first().click();
    expect(await violationsOn(page)).toEqual([]);
  },
);

test("playing and moving ρ for long leaves memory flat", async () => {
  const page = await open(`${ridge}&turn=50`);
  await expect.poll(() => sentence(page)).toBe(stopped);
  const session = await page.context().newCDPSession(page);
  const churn = (times: number) =>
    page.evaluate(async (times) => {
      const [rho] = document.querySelectorAll<HTMLInputElement>("input[type=range]");
      for (let i = 0; i < times; i++) {
        await new Promise(requestAnimationFrame);
        if (!rho) continue;
        rho.value = String(1 + (i % 80) / 100);
        rho.dispatchEvent(new Event("input", { bubbles: true }));
      }
    }, times);
  const used = async () => {
    // What waits for rest is done.
    await page.waitForTimeout(1500);
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    return usedSize / 1e6;
  };
  await churn(60);
  const before = await used();
  await churn(200);
  const after = await used();
  console.info(`heap after 60 redraws ${before.toFixed(1)} MB, after 260 ${after.toFixed(1)} MB`);
  expect(after).toBeLessThan(before + 3);
});
