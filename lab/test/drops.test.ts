/** Drops on the runs view: twice the same, names of any characters, long files, choices in a hurry. */
import type { Page } from "playwright";
import { expect, test } from "vitest";
import { drop, type DroppedFile } from "./drop.ts";
import { useSite } from "./site.ts";

const site = useSite();
const patient = { timeout: 60_000 };
const item = (page: Page, path: string) => page.locator(".path").getByText(path, { exact: true });
const shows = (page: Page) => page.locator(".shown");

test("what is dropped once more is read anew, and of what is chosen quickly the last is shown", async () => {
  const page = await site.open("#runs");
  const csv = (rows: number) =>
    ["step,loss", ...Array.from({ length: rows }, (_, step) => `${step},1`), ""].join("\n");
  const dropped = (path: string, text: string): DroppedFile => ({
    path,
    base64: Buffer.from(text).toString("base64"),
  });
  await drop(page, [dropped("logs/mine.csv", "step\0loss")]);
  await page
    .getByRole("alert")
    .getByText(/^invalid log logs\/mine\.csv: neither text/)
    .waitFor(patient);
  for (const rows of [2, 3]) {
    await drop(page, [dropped("logs/mine.csv", csv(rows))]);
    await shows(page).getByText(`${rows} rows, 0 of them`).waitFor(patient);
    expect(await page.getByRole("alert").getByText("invalid").count()).toBe(0);
  }
  // The long one, of several pieces, is not there yet when the next is chosen.
  await drop(page, [dropped("long.csv", csv(900_000)), dropped("short.csv", csv(4))]);
  for (const path of ["long.csv", "short.csv", "long.csv", "short.csv"]) {
    await item(page, path).click();
  }
  await shows(page).getByText("4 rows, 0 of them").waitFor(patient);
  await item(page, "long.csv").click();
  await shows(page).getByText("900,000 rows, 0 of them").waitFor(patient);
});

test("points that are damaged, or of another network, are refused in one line each", async () => {
  const page = await site.open("#runs");
  const header = (offsets: readonly number[]) => {
    const text = Buffer.from(
      JSON.stringify({ w: { dtype: "F32", shape: [3, 5], data_offsets: offsets } }),
    );
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    return Buffer.concat([length, text]);
  };
  const files = {
    "empty.safetensors": Buffer.alloc(0),
    "long.safetensors": Buffer.concat([Buffer.alloc(8, 0x7f), Buffer.from("{}")]),
    "short.safetensors": Buffer.concat([header([0, 400]), Buffer.alloc(60)]),
    "other.safetensors": Buffer.concat([header([0, 60]), Buffer.alloc(60)]),
  };
  await drop(
    page,
    Object.entries(files).map(([path, bytes]) => ({ path, base64: bytes.toString("base64") })),
  );
  for (const [path, line] of [
    ["empty.safetensors", /^invalid file empty\.safetensors: 0 bytes are too few$/],
    ["long.safetensors", /^invalid file long\.safetensors: a header of \d+ bytes is too long$/],
    [
      "short.safetensors",
      /^invalid file short\.safetensors: tensor "w" lies at bytes 0 to 400 of 60$/,
    ],
  ] as const) {
    await item(page, path).click(patient);
    await page.getByRole("alert").getByText(line).waitFor(patient);
  }
  await item(page, "other.safetensors").click();
  await page.getByRole("button", { name: "Certify this point" }).click();
  await shows(page)
    .getByText(/^missing layers\/0\/bias in other\.safetensors: it has w /)
    .waitFor(patient);
});

test("names of any characters are shown, linked and read", async () => {
  const page = await site.open("#runs");
  const names = [
    "a b%20c?d=e&f#g.csv",
    "<b>\"'|.csv",
    "__proto__.csv",
    "ä/é ☃/👩‍🔬.csv",
    "up\\..\\down.csv",
  ];
  const base64 = Buffer.from("step,loss\n0,1\n").toString("base64");
  await drop(
    page,
    names.map((path) => ({ path, base64 })),
  );
  for (const path of names) {
    await page.locator(".path").getByText(path, { exact: true }).click();
    await shows(page).getByText("1 row, 0 of them").waitFor(patient);
    expect(await page.locator("[aria-current=true] .path").innerText()).toBe(path);
    expect(new URLSearchParams(new URL(page.url()).hash.split("?")[1]).get("item")).toBe(path);
  }
});
