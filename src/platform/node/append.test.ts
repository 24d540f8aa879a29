import { mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MachineError } from "../../engine/errors.ts";
import { openAppend } from "./append.ts";

let folder = "";
let path = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-append-"));
  path = join(folder, "rows");
});
afterEach(() => rm(folder, { recursive: true }));

test("a file that is deleted while it grows is put back, and whoever writes is told", async () => {
  const file = await openAppend(path);
  await file.append("a\n");
  await rm(path);
  const told = file.append("é\n");
  await expect(told).rejects.toThrow(MachineError);
  await expect(told).rejects.toThrow(
    `invalid file ${path}: it was deleted while it was being written (all of it is there again;`,
  );
  await file.close();
  expect(await readFile(path, "utf8")).toBe("a\né\n");
});

test("a deletion after the last line is noticed at the end", async () => {
  const file = await openAppend(path);
  await file.append("a\n");
  await rm(path);
  await expect(file.close()).rejects.toThrow("it was deleted");
  await file.close();
  expect(await readFile(path, "utf8")).toBe("a\n");
});

test("a file that another took the place of is kept beside that one", async () => {
  const file = await openAppend(path);
  await file.append("a\n");
  await writeFile(join(folder, "other"), "theirs\n");
  await rename(join(folder, "other"), path);
  await expect(file.append("b\n")).rejects.toThrow(/another file was put in its place/);
  await file.close();
  expect(await readFile(path, "utf8")).toBe("theirs\n");
  const [, rescued = ""] = (await readdir(folder)).sort();
  expect(await readFile(join(folder, rescued), "utf8")).toBe("a\nb\n");
});

test("a folder that is gone is said to be", async () => {
  const inner = await mkdtemp(join(folder, "inner-"));
  const file = await openAppend(join(inner, "rows"));
  await rm(inner, { recursive: true });
  await expect(file.append("a\n")).rejects.toThrow(`missing folder ${inner}`);
  await file.close();
});
