/** The runs view: files dropped and files served, good and damaged, in the built page in Chromium. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium as playwright, type Browser, type BrowserContext, type Page } from "playwright";
import { afterAll, afterEach, beforeAll, expect, inject, test } from "vitest";
import { launchOptions } from "./chromium.ts";
import { isDriverRemark, useSite, violationsOn } from "./site.ts";
import { lucid, makeLong, makeStored, serve, startSweep, study } from "./stored.ts";

let folder = "";
const at = (...names: string[]) => join(folder, ...names);
let browser: Browser;
/** With a cookie of the server. */
let context: BrowserContext;
let server: Awaited<ReturnType<typeof serve>>;
let base = "";
/** The same pages on a host without folders. */
const site = useSite();
/** Long enough for a busy machine. */
const patient = { timeout: 60_000, interval: 100 };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-runs-"));
  await makeStored(at("stored"));
  await makeLong(at("stored", "packed.jsonl.gz"), at("stored", "long.jsonl.gz"), 10_000);
  await mkdir(at("live"));
  server = await serve(inject("site"), at("stored"), at("live"));
  browser = await playwright.launch(launchOptions);
  context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(server.address);
  base = new URL("/", page.url()).href;
  await page.close();
});

afterAll(async () => {
  await browser?.close();
  await server?.end();
  await rm(folder, { recursive: true, force: true });
});

/** What pages complained of. */
let complaints: string[] = [];
let asked: string[] = [];
const pages: Page[] = [];

async function open(hash: string, { width = 1280, colorScheme = "light" as const } = {}) {
  const page = await context.newPage();
  pages.push(page);
  page.on("console", (message) => {
    if (isDriverRemark(message.text())) return;
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => asked.push(request.url()));
  await page.setViewportSize({ width, height: 800 });
  await page.emulateMedia({ colorScheme });
  await page.goto(`${base}${hash}`);
  return page;
}

afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
  const heard = complaints;
  complaints = [];
  expect(heard).toEqual([]);
  expect(asked.filter((url) => !/^(blob|data):/.test(url) && !url.startsWith(base))).toEqual([]);
  asked = [];
});

const item = (page: Page, path: string) =>
  page.locator(".path", { hasText: new RegExp(`^${escaped(path)}$`) });
const shows = (page: Page) => page.locator(".shown");
const hashOf = (page: Page) => decodeURIComponent(new URL(page.url()).hash);

test("a folder that is chosen shows all that is good, and one line for each that is damaged", async () => {
  const page = await open("#runs");
  await item(page, "stored/good").waitFor(patient);
  await page.getByText("Following stored, live").waitFor(patient);
  asked = [];
  await page.getByLabel("or a folder").setInputFiles(at("stored"));
  await item(page, "stored/runs/ä b#1").waitFor(patient);
  // The server lists the same; what was chosen takes its place.
  const kinds = await page.locator(".kind").allInnerTexts();
  expect(kinds.toSorted()).toEqual(
    [
      "certificate",
      "exported problem",
      "landscape",
      "log",
      "point",
      "point",
      "run",
      ...Array.from({ length: 4 }, () => "study"),
    ].toSorted(),
  );
  expect(asked.filter((url) => !url.startsWith("blob:"))).toEqual([]);
  await page.getByText(/files? not known/).click();
  const reasons = page.locator(".reasons li");
  await expect
    .poll(() => reasons.allInnerTexts())
    .toContainEqual(expect.stringMatching(/^unknown file stored\/notes\.txt \([^\n]*\)$/));

  for (const [path, line] of [
    [
      "stored/bad",
      /^invalid file stored\/bad\/rows\.jsonl: line 2 is not what was written [^\n]*$/,
    ],
    ["stored/torch/broken.safetensors", /^invalid file stored\/torch\/broken\.safetensors[^\n]*$/],
  ] as const) {
    await item(page, path).click();
    await expect.poll(() => page.getByRole("alert").innerText(), patient).toMatch(line);
  }
  for (const [path, words] of [
    ["stored/runs/ä b#1", "At step 4,000"],
    ["stored/certificate.json", "Certified: hallucinated minimizer"],
    ["stored/valley/landscape.jsonl", "49 places on 7 × 7"],
    ["stored/valley/landscape.jsonl", /^along steepest direction of what SAM sees .*, distance/],
    ["stored/network", "A network that lucid_sam.export wrote in Python"],
    ["stored/good", "8 of 8 cells done"],
  ] as const) {
    await item(page, path).click();
    await shows(page).getByText(words).first().waitFor(patient);
    expect(await page.getByRole("alert").count()).toBe(0);
  }
});

test("files that are dropped together without their folder are read, on any host", async () => {
  const page = await site.open("#runs");
  const before = site.asked().length;
  const text = await readFile(at("stored", "torch", "metrics.csv"), "utf8");
  await page.getByRole("region", { name: "Drop zone" }).evaluate((zone, csv) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([csv], "mine.csv"));
    dataTransfer.items.add(new File(["{}"], "package.json"));
    zone.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
  }, text);
  // It was the only thing that is known, so it opens.
  await page.getByRole("heading", { name: "mine.csv: inconclusive" }).waitFor(patient);
  expect(hashOf(page)).toBe("#runs?item=mine.csv");
  // The reader was fetched, and no server was asked for files.
  expect(
    site
      .asked()
      .slice(before)
      .every((name) => /^assets\/[\w-]+\.js$/.test(name)),
  ).toBe(true);
});

test("a log of somebody else's training says what it lacks, and takes columns by other names", async () => {
  const page = await open("#runs?item=stored/torch/metrics.csv");
  const lacks = page.getByText(/^Missing columns/);
  await expect
    .poll(() => lacks.innerText(), patient)
    .toContain("Missing columns: shiftedLoss, gradNorm, shiftedGradNorm, cosine.");
  await page.getByRole("combobox", { name: /^gradNorm is/ }).selectOption("train/loss");
  await expect.poll(() => hashOf(page)).toContain("map=gradNorm:train/loss");
  await expect
    .poll(() => lacks.innerText(), patient)
    .toContain("Missing columns: shiftedLoss, shiftedGradNorm, cosine.");
});

test("links that were cut or mistyped are answered in one line, or as far as they can be read", async () => {
  const page = await open("#runs?item=stored/torch/metrics.csv&map=gradNorm:%25zz,loss:train/loss");
  const lacks = page.getByText(/^Missing columns/);
  await expect
    .poll(() => lacks.innerText(), patient)
    .toContain("Missing columns: shiftedLoss, gradNorm, shiftedGradNorm, cosine.");
  const other = await open("#runs?item=stored/good&cell=0123");
  await expect
    .poll(() => other.getByRole("alert").innerText(), patient)
    .toBe("unknown cell 0123: the study has none of this name (choose one of its table)");
  await other.getByRole("button", { name: "← Back to the study" }).click();
  await other.getByText("8 shown, 0 picked").waitFor(patient);
});

test("what is picked on the map shows in the table, the curves and the address", async () => {
  const page = await open("#runs?item=stored/good");
  await page.getByText("8 of 8 cells done").waitFor(patient);
  const place = page.getByRole("button", { name: /^rho = 1, method = sam: 2\/2 / });
  await page.getByRole("button", { name: /^rho = 1, method = usam: 2\/2 / }).focus();
  await page.keyboard.press("ArrowDown");
  expect(await place.evaluate((element) => element === document.activeElement)).toBe(true);
  await page.keyboard.press("Enter");
  await expect.poll(() => hashOf(page)).toContain("pick=rho=1 method=sam");
  expect(await place.getAttribute("aria-pressed")).toBe("true");
  expect(await page.getByRole("checkbox", { name: /^Pick/, checked: true }).count()).toBe(2);
  const curves = page.getByRole("img", { name: "loss f(x): 2 lines over 60 steps" });
  await curves.waitFor(patient);

  // No file is read again for it.
  await page.waitForLoadState("networkidle");
  asked = [];
  await page.getByLabel("Filter").fill("rho=1");
  await page.getByText("4 shown, 2 picked").waitFor();
  await page.getByRole("button", { name: "loss", exact: true }).click();
  await expect.poll(() => hashOf(page)).toContain("sort=loss");
  await page.waitForLoadState("networkidle");
  expect(asked.filter((url) => url.includes("/files/"))).toEqual([]);

  // Steps, by keys: the table has the values there.
  await page.getByLabel("to step").focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => hashOf(page)).toContain("stretch=0,1");
  const heads = page.getByRole("columnheader");
  expect(await heads.allInnerTexts()).toEqual(
    expect.arrayContaining(["loss f(x) at 0", "loss f(x) at 1"]),
  );
  const picked = page.getByRole("row").filter({ has: page.locator("input:checked") });
  const cells = await picked.first().getByRole("cell").allInnerTexts();
  // Of picked cells there are values; the first column is that of the boxes, without a heading.
  const first = (await heads.allInnerTexts()).indexOf("loss f(x) at 0") + 1;
  const values = cells.slice(first, first + 2).map(Number);
  expect(values.every((value) => Number.isFinite(value) && value !== 0)).toBe(true);

  // A drag over the curves does the same.
  const box = await curves.boundingBox();
  if (box === null) throw new Error("no curves");
  await page.mouse.move(box.x + 0.4 * box.width, box.y + 100);
  await page.mouse.down();
  await page.mouse.move(box.x + 0.8 * box.width, box.y + 100, { steps: 4 });
  await page.mouse.up();
  await expect
    .poll(() => /stretch=(\d+),(\d+)/.exec(hashOf(page))?.slice(1).map(Number)[0])
    .toBeGreaterThan(5);
  const [from = 0, to = 0] = /stretch=(\d+),(\d+)/.exec(hashOf(page))?.slice(1).map(Number) ?? [];
  expect(to).toBeGreaterThan(from + 10);

  // The link shows the same.
  const again = await open(new URL(page.url()).hash);
  await again.getByRole("img", { name: "loss f(x): 2 lines over 60 steps" }).waitFor(patient);
  expect(await again.getByRole("columnheader").allInnerTexts()).toContain(`loss f(x) at ${to}`);

  // What is filtered and sorted is what is exported.
  await page.getByLabel("Filter").fill("method=sam loss<1000");
  await page.getByText("4 shown, 2 picked").waitFor();
  await page.getByRole("button", { name: "seed" }).click();
  await page.getByRole("button", { name: "seed" }).click();
  await expect.poll(() => hashOf(page)).toContain("descending=true");
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "CSV", exact: true }).click();
  const csv = await readFile(await (await saved).path(), "utf8");
  const [head, ...lines] = csv.trim().split("\n");
  expect(head).toMatch(/^cell,rho,method,seed,status,verdict/);
  expect(lines.map((line) => line.split(",").slice(1, 4).join())).toEqual([
    "1,sam,1",
    "4,sam,1",
    "1,sam,0",
    "4,sam,0",
  ]);
});

test("a run shows its numbers at any step, and its pictures leave as SVG and PNG", async () => {
  const page = await open("#runs?item=stored/runs/%C3%A4%20b%231&stretch=0,0");
  await page.getByRole("heading", { name: "At step 0" }).waitFor(patient);
  const metrics = await readFile(at("stored", "runs", "ä b#1", "metrics.jsonl"), "utf8");
  const rows = metrics
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { step: number; loss: number });
  const name = page.locator("dt", { hasText: /^loss f\(x\)$/ });
  const loss = page.locator("dl > div").filter({ has: name }).locator("dd");
  await expect.poll(() => loss.innerText()).toBe(String(Number(rows[0]?.loss.toPrecision(4))));
  await page.getByRole("button", { name: "To the last" }).click();
  await expect.poll(() => loss.innerText()).toBe(String(Number(rows.at(-1)?.loss.toPrecision(4))));
  for (const [name, begin] of [
    ["SVG", "<svg"],
    ["PNG", "\u0089PNG"],
    ["JSON", "{"],
  ] as const) {
    const saved = page.waitForEvent("download");
    await page.getByRole("button", { name, exact: true }).click();
    const bytes = await readFile(await (await saved).path());
    expect(bytes.toString("latin1").startsWith(begin)).toBe(true);
    expect(bytes.length).toBeGreaterThan(2000);
  }
  await page.getByRole("link", { name: "Run it anew in Planes" }).click();
  await expect.poll(() => hashOf(page)).toBe("#planes?problem=cosine&start=2,0&steps=4000&rho=4");
});

test("a stored point is certified in the page as on the command line", async () => {
  const page = await open("#runs?item=stored/runs/%C3%A4%20b%231");
  await page.getByRole("button", { name: "Certify this point" }).click();
  await page.getByText("Certified: hallucinated minimizer").waitFor(patient);
  await page.getByText("Every number").click();
  const printed = await lucid("certify", at("stored", "runs", "ä b#1"));
  const numbers = await page
    .getByRole("region", { name: "Numbers of the certificate" })
    .getByRole("row")
    .all();
  expect(numbers.length).toBeGreaterThan(8);
  for (const row of numbers) {
    const name = await row.getByRole("rowheader").innerText();
    const value = await row.getByRole("cell").first().innerText();
    expect(printed).toMatch(new RegExp(`^ *${escaped(name)} +${escaped(value)}( |$)`, "m"));
  }
});

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

test("the rows of a sweep come in while it runs, without a reload", async () => {
  const page = await open("#runs?item=live/sweep");
  await page.getByText("missing live/sweep").waitFor(patient);
  const file = at("slow.json");
  await writeFile(file, JSON.stringify({ ...study, name: "slow", seeds: 3, steps: 8_000 }));
  const sweep = startSweep(file, at("live", "sweep"));
  const progress = page.locator("[data-progress]");
  const seen = new Set<string>();
  await expect
    .poll(
      async () => {
        const text = (await progress.count()) > 0 ? await progress.innerText() : "";
        seen.add(text);
        return text;
      },
      { ...patient, timeout: 100_000 },
    )
    .toBe("12 of 12 cells done");
  // It was there before its end.
  expect([...seen].filter((text) => /^\d+ of 12/.test(text)).length).toBeGreaterThan(1);
  await page.getByRole("button", { name: /^rho = 4, method = sam: 3\/3 / }).waitFor();
  sweep.kill();

  // A run that appears is listed, one that goes is not.
  await cp(at("stored", "runs", "ä b#1"), at("live", "late"), { recursive: true });
  await item(page, "live/late").waitFor(patient);
  await rm(at("live", "late"), { recursive: true });
  await item(page, "live/late").waitFor({ state: "detached", ...patient });
});

test.each([
  { width: 360, isWhole: false, doesScroll: true },
  { width: 1280, isWhole: false, doesScroll: false },
  { width: 3840, isWhole: true, doesScroll: false },
])(
  "at $width pixels 13 columns have names as long as there is room, and whole in their titles",
  async ({ width, isWhole, doesScroll }) => {
    const page = await open("#runs?item=stored/long.jsonl.gz&x=training&y=method", { width });
    const map = page.getByRole("region", { name: "Places of the map" });
    const names = map.locator("text:has(title)");
    await expect.poll(() => names.count(), patient).toBe(15);
    const drawn = await names.evaluateAll((texts) =>
      texts.map((text) => [text.querySelector("title")?.textContent, text.lastChild?.textContent]),
    );
    const whole = "SAM after plain descent over a tenth of the run, number 0";
    const [, shown = ""] = drawn.find(([title]) => title === whole) ?? [];
    expect(shown === whole).toBe(isWhole);
    expect(shown).toMatch(isWhole ? / 0$/ : /^SAM after.*…$/);
    // Whether the last column is there, or is said to be.
    const hint = map.locator("xpath=ancestor::section[1]").getByText("scroll for more →");
    await expect.poll(() => hint.count()).toBe(doesScroll ? 1 : 0);
    const last = map.getByRole("button").last();
    const box = await last.boundingBox();
    expect((box?.x ?? NaN) + (box?.width ?? NaN) > width).toBe(doesScroll);
    if (!doesScroll) return;
    await map.evaluate((element) => element.scrollTo(element.scrollWidth, 0));
    await map.locator("xpath=ancestor::section[1]").getByText("← scroll back").waitFor();
  },
);

test("ten thousand cells make a page of fifty", async () => {
  const page = await open("#runs?item=stored/long.jsonl.gz&x=seed&y=method");
  await page.getByText("10,000 of 10,000 cells done").waitFor(patient);
  await page.getByText("1–50 of 10,000").waitFor();
  expect(await page.getByRole("checkbox", { name: /^Pick/ }).count()).toBe(50);
  // 80 places of the map across, two down, though there are 10,000 seeds.
  await page.getByText("The first 80 values of each axis are drawn").waitFor();
  expect(await page.locator("*").count()).toBeLessThan(4000);
  await page.getByRole("button", { name: "Last", exact: true }).click();
  await page.getByText("9,951–10,000 of 10,000").waitFor();
  await page.getByLabel("Filter").fill("seed>=9000 method=sam");
  await page.getByText("500 shown, 0 picked").waitFor();
});

test.each([
  ["good", "light", 1280],
  ["good", "dark", 360],
  ["runs/%C3%A4%20b%231", "dark", 1280],
  ["runs/%C3%A4%20b%231", "light", 360],
  ["valley/landscape.jsonl", "light", 2560],
  ["torch/metrics.csv", "dark", 360],
  ["network/expected.safetensors", "light", 360],
  ["network", "dark", 2560],
  ["certificate.json", "light", 360],
] as const)(
  "axe finds nothing wrong with %s, %s, %d pixels wide, and it fits",
  async (path, colorScheme, width) => {
    const page = await open(`#runs?item=stored/${path}`, {
      width,
      colorScheme: colorScheme as "light",
    });
    await shows(page).locator("section").first().waitFor(patient);
    await page.waitForLoadState("networkidle");
    expect(await violationsOn(page)).toEqual([]);
    const { scrollWidth, clientWidth } = await page.evaluate(() => ({
      scrollWidth: document.documentElement.scrollWidth,
      clientWidth: document.documentElement.clientWidth,
    }));
    expect(scrollWidth).toBeLessThanOrEqual(clientWidth);
  },
);
