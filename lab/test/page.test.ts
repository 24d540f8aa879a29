/** The built page: below a path of some host, without headers, under its own policy, in Chromium. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { useSite, violationsOn } from "./site.ts";

/** Bytes that the first screen may load, compressed, before any engine does. */
const budget = 150_000;
const site = useSite();
const { open } = site;

test("the first screen is within its budget of bytes, without an engine", async () => {
  const page = await open("");
  await page.waitForFunction(() => performance.getEntriesByName("first picture").length > 0);
  // The tracer of methods loads once there is a picture: it is half an engine.
  const before = await page.evaluate(() => {
    const drawn = performance.getEntriesByName("first picture")[0]?.startTime ?? NaN;
    return performance
      .getEntriesByType("resource")
      .filter(({ startTime }) => startTime < drawn)
      .map(({ name }) => new URL(name).pathname.replace(/^.*?assets/, "assets"));
  });
  const names = new Set(["index.html", ...before]);
  let bytes = 0;
  for (const name of names) bytes += gzipSync(await readFile(join(site.folder, name))).length;
  console.info(`first screen: ${bytes} bytes compressed, ${[...names].join()}`);
  expect(bytes).toBeGreaterThan(50_000);
  expect(bytes).toBeLessThan(budget);
  expect(before.filter((name) => /worker|ort-w|wasm/.test(name))).toEqual([]);
});

test("there is one copy of the WebAssembly, fetched when a network first trains", async () => {
  const files = await readdir(join(site.folder, "assets"));
  expect(files.filter((name) => name.endsWith(".wasm"))).toHaveLength(1);
  const page = await open("#networks?problem=regression&steps=200&seconds=1");
  expect(site.asked().filter((name) => name.endsWith(".wasm"))).toEqual([]);
  await page.getByRole("button", { name: "Play" }).click();
  await page.getByText("native, cpu, 1 thread").waitFor();
  await page.getByText("200 of 200").waitFor();
  await page.getByRole("button", { name: "Play again" }).waitFor();
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
  expect(site.asked().filter((name) => name.endsWith(".wasm"))).toHaveLength(1);
  expect(await page.getByRole("img", { name: /^Loss by step\..* at step 199/ }).count()).toBe(1);
});

test("where the run time does not load, networks train and are certified on jax, and the page says so", async () => {
  site.forgive(
    /Failed to load resource|wasm|falling back to ArrayBuffer|running on the jax engine/,
  );
  const page = await open(
    "#networks?problem=regression&rho=2&steps=20&seconds=0&play=true",
    {},
    async (page) => {
      await page.route("**/*.wasm", (route) => route.abort());
    },
  );
  await page.getByRole("button", { name: "Play again" }).waitFor();
  await page.getByText(/^jax, /).waitFor();
  await page
    .getByText(
      /^missing native engine: ONNX Runtime's WebAssembly does not load here: .*; running on the jax engine$/,
    )
    .waitFor();
  await page.getByText("20 of 20").waitFor();
  await page.getByRole("button", { name: "Certify step 20" }).click();
  await page.getByText(/, from step 20/).waitFor({ timeout: 300_000 });
  await page.getByText("All numbers, as the command line prints them").click();
  await page.getByText(/^Certified: regression, 7 parameters.*jax/s).waitFor();
}, 400_000);

test.each([
  ["#networks", "light"],
  ["#networks", "dark"],
  ["#runs", "light"],
  ["#runs", "dark"],
  ["#planes?rhoo=1", "light"],
  ["#planes?rhoo=1", "dark"],
] as const)("axe finds nothing wrong with %s, %s", async (hash, colorScheme) => {
  const page = await open(hash, { colorScheme });
  await page.getByText("Opening …").waitFor({ state: "detached" });
  expect(await violationsOn(page)).toEqual([]);
});

test("what an address does not know is refused aloud, and left by a link", async () => {
  const page = await open("#planes?rhoo=1.6");
  const line = 'unknown field "rhoo" (did you mean "rho"?)';
  await expect.poll(() => page.getByRole("alert").innerText()).toContain(line);
  await expect.poll(() => page.locator("[data-announced]").textContent()).toBe(line);
  await page.getByRole("link", { name: "Open Planes without it" }).click();
  await page.getByText("what SAM sees").waitFor();
});

test("what moved before another view was asked for does not bring the old one back", async () => {
  let ask = () => {};
  const asked = new Promise<void>((done) => (ask = done));
  const page = await open("#planes?problem=ridge&rho=1.6", {}, async (page) => {
    // Longer than what moves waits until it is written.
    await page.route("**/Networks-*.js", async (route) => {
      ask();
      await new Promise((done) => setTimeout(done, 1500));
      await route.continue();
    });
  });
  await page.getByText("SAM stopped here").waitFor();
  // As a pointer moves it that is not let go of yet.
  await page.getByRole("slider", { name: /^ρ/ }).evaluate((slider) => {
    (slider as HTMLInputElement).value = "1.7";
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await page.getByRole("link", { name: "Networks", exact: true }).click();
  await asked;
  await page.getByText("Most of these fail on purpose").waitFor();
  expect(new URL(page.url()).hash).toBe("#networks");
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
