/** The built page: below a path of some host, without headers, under its own policy, in Chromium. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import axe from "axe-core";
import { chromium as playwright, type Browser, type Page } from "playwright";
import { build } from "vite";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { launchOptions } from "./chromium.ts";

/** Bytes that the first screen may load, compressed, before any engine does. */
const budget = 150_000;
/** Where the site lies on its host. */
const path = "/some/where/";

const types: { readonly [extension: string]: string } = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
};

let folder = "";
let server: Server;
let browser: Browser;
let origin = "";
/** Files that pages have asked for, by name. */
let asked: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-lab-"));
  await build({
    configFile: resolve(import.meta.dirname, "../vite.config.ts"),
    logLevel: "error",
    build: { outDir: folder, emptyOutDir: true },
  });
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "", "http://localhost");
    const name = pathname.slice(path.length) || "index.html";
    asked.push(pathname.startsWith(path) ? name : pathname);
    readFile(join(folder, name)).then(
      (bytes) => {
        response.setHeader("content-type", types[extname(name)] ?? "application/octet-stream");
        response.end(bytes);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  browser = await playwright.launch(launchOptions);
});

afterAll(async () => {
  await browser?.close();
  server?.close();
  if (folder !== "") await rm(folder, { recursive: true, force: true });
});

/** What pages complained of: errors, warnings, requests elsewhere. */
let complaints: string[] = [];
const pages: Page[] = [];

async function open(hash: string, options: Parameters<Browser["newPage"]>[0] = {}): Promise<Page> {
  const page = await browser.newPage(options);
  pages.push(page);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(origin + path)) {
      complaints.push(request.url());
    }
  });
  await page.goto(`${origin}${path}${hash}`, { waitUntil: "networkidle" });
  return page;
}

afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
  const heard = complaints;
  complaints = [];
  asked = [];
  expect(heard).toEqual([]);
});

test("the first screen is within its budget of bytes, without an engine", async () => {
  const page = await open("");
  await page.getByText("what SAM sees").waitFor();
  let bytes = 0;
  for (const name of new Set(asked)) bytes += gzipSync(await readFile(join(folder, name))).length;
  console.info(`first screen: ${bytes} bytes compressed, ${new Set(asked).size} files`);
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(budget);
  expect(asked.filter((name) => /worker|ort-w|wasm/.test(name))).toEqual([]);
});

test("there is one copy of the WebAssembly, fetched when a network first trains", async () => {
  const files = await readdir(join(folder, "assets"));
  expect(files.filter((name) => name.endsWith(".wasm"))).toHaveLength(1);
  const page = await open("#networks?problem=regression&steps=200");
  expect(asked.filter((name) => name.endsWith(".wasm"))).toEqual([]);
  await page.getByRole("button", { name: "Train" }).click();
  await page.getByText("native, cpu, 1 thread").waitFor();
  await page.getByText(/step 1\d\d, loss/).waitFor();
  await page.getByRole("button", { name: "Train" }).waitFor();
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
  expect(asked.filter((name) => name.endsWith(".wasm"))).toHaveLength(1);
  expect(await page.getByRole("img", { name: /^Loss from/ }).count()).toBe(1);
});

test.each([
  ["#planes?problem=ridge&rho=1.6", "light"],
  ["#planes?problem=cosine&rho=4", "dark"],
  ["#networks", "light"],
  ["#networks", "dark"],
  ["#runs", "light"],
  ["#runs", "dark"],
  ["#planes?rhoo=1", "light"],
  ["#planes?rhoo=1", "dark"],
] as const)("axe finds nothing wrong with %s, %s", async (hash, colorScheme) => {
  const page = await open(hash, { colorScheme });
  await page.getByText("Opening …").waitFor({ state: "detached" });
  const { violations } = (await page.evaluate(`${axe.source}; axe.run()`)) as {
    readonly violations: readonly { readonly id: string; readonly help: string }[];
  };
  expect(violations.map(({ id, help }) => `${id}: ${help}`)).toEqual([]);
});

test("what an address does not know is refused aloud, and left by a link", async () => {
  const page = await open("#planes?rhoo=1.6");
  const line = 'unknown field "rhoo" (did you mean "rho"?)';
  await expect.poll(() => page.getByRole("alert").innerText()).toContain(line);
  await expect.poll(() => page.locator("[data-announced]").textContent()).toBe(line);
  await page.getByRole("link", { name: "Open Planes without it" }).click();
  await page.getByText("what SAM sees").waitFor();
});

test("keys on the slider of ρ change the picture and the address, and going back undoes a choice", async () => {
  const page = await open("#planes?problem=ridge&rho=1.6");
  const picture = () =>
    page
      .locator("canvas")
      .last()
      .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
  await page.getByRole("slider").focus();
  const before = await picture();
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => new URL(page.url()).hash).toBe("#planes?problem=ridge&rho=1.65");
  await expect.poll(picture).not.toBe(before);
  await page.getByRole("combobox", { name: "Plane" }).selectOption("cosine");
  await expect.poll(() => new URL(page.url()).hash).toBe("#planes?problem=cosine&rho=1.65");
  await page.goBack();
  await expect.poll(() => page.getByRole("combobox", { name: "Plane" }).inputValue()).toBe("ridge");
});

test.each([360, 1280, 2560])("nothing is wider than a window of %d pixels", async (width) => {
  for (const hash of ["#planes", "#networks", "#runs"]) {
    const page = await open(hash, { viewport: { width, height: 800 } });
    await page.getByText("Opening …").waitFor({ state: "detached" });
    const wide = await page.evaluate(() =>
      Array.from(document.querySelectorAll("body *"), (element) => ({
        tag: element.outerHTML.slice(0, 80),
        right: element.getBoundingClientRect().right,
      })).filter(({ right }) => right > document.documentElement.clientWidth + 0.5),
    );
    expect(wide).toEqual([]);
  }
});

test("dropped files are listed, and nothing is sent anywhere", async () => {
  const page = await open("#runs");
  asked = [];
  await page
    .getByLabel("or choose them")
    .setInputFiles([
      { name: "metrics.jsonl", mimeType: "text/plain", buffer: Buffer.from("{}\n") },
    ]);
  await page.getByRole("rowheader", { name: "metrics.jsonl" }).waitFor();
  expect(asked).toEqual([]);
});
