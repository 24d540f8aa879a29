import { mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { InputError, MachineError } from "../../engine/errors.ts";
import {
  fileError,
  makeFolder,
  pathIn,
  readBytes,
  readJson,
  readText,
  replaceFile,
  writeBytes,
  writeJson,
  writeText,
} from "./files.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lucid-files-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("what is written is read back, and nothing else stays in the folder", async () => {
  await writeBytes(join(folder, "a"), Uint8Array.of(0, 255, 10));
  await writeText(join(folder, "b"), "ρ = 4\n");
  await writeJson(join(folder, "c"), { rho: [4] });
  await writeText(join(folder, "b"), "ρ = 8\n");
  expect(await readBytes(join(folder, "a"))).toEqual(Uint8Array.of(0, 255, 10));
  expect(await readText(join(folder, "b"))).toBe("ρ = 8\n");
  expect(await readJson(join(folder, "c"))).toEqual({ rho: [4] });
  expect((await readdir(folder)).sort()).toEqual(["a", "b", "c"]);
});

test("a write that fails leaves the old file and no other", async () => {
  const path = join(folder, "a");
  await writeText(path, "old");
  const fails = replaceFile(path, async (temporary) => {
    await writeFile(temporary, "half of the n");
    throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
  });
  await expect(fails).rejects.toThrow(MachineError);
  await expect(fails).rejects.toThrow(
    `invalid file ${path}: cannot write it, the disk is full; free some space`,
  );
  expect(await readText(path)).toBe("old");
  expect(await readdir(folder)).toEqual(["a"]);
});

test("a path that cannot be used gives one line that says why", async () => {
  const file = join(folder, "file");
  await writeText(file, "{");
  await makeFolder(join(folder, "sub", "deeper"));
  await symlink("loop", join(folder, "loop"));
  const cases: [() => Promise<unknown>, string][] = [
    [() => readText(join(folder, "none")), `missing file ${folder}/none: it does not exist`],
    [() => readText(folder), `invalid file ${folder}: cannot read it, it is a folder`],
    [() => readText(join(file, "x")), `invalid file ${file}/x: cannot read it, a folder on`],
    [() => readText(join(folder, "loop")), `invalid file ${folder}/loop: cannot read it, its sym`],
    [() => readJson(file), `invalid file ${file}: not JSON (`],
    [() => writeText(join(folder, "no", "x"), ""), `missing folder ${folder}/no: make it`],
    [
      () => writeText(join(folder, "sub"), ""),
      `invalid file ${folder}/sub: cannot write it, it is`,
    ],
    [() => writeText(join(file, "x"), ""), `invalid file ${file}/x: cannot write it, a folder on`],
    [() => writeText(join(folder, "x".repeat(300)), ""), "invalid file "],
    [() => makeFolder(file), `invalid folder ${file}: cannot make it, a file of that name`],
    [() => makeFolder(join(file, "x")), `invalid folder ${file}/x: cannot make it, a folder on`],
  ];
  for (const [attempt, message] of cases) {
    const error: unknown = await attempt().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).message).toContain(message);
    expect((error as InputError).message).not.toContain("\n");
  }
  expect((await readdir(folder)).sort()).toEqual(["file", "loop", "sub"]);
});

test("faults of the machine and of the path are told apart; other errors pass through", () => {
  const coded = (code: string) => fileError(Object.assign(new Error(code), { code }), "write", "x");
  expect(coded("EACCES")).toBeInstanceOf(InputError);
  expect(coded("EROFS")).toBeInstanceOf(InputError);
  expect(coded("EIO")).toBeInstanceOf(MachineError);
  expect(coded("EWHATEVER")).toEqual(
    new MachineError("invalid file x: cannot write it, EWHATEVER"),
  );
  const mistake = new TypeError("not a function");
  expect(fileError(mistake, "write", "x")).toBe(mistake);
});

test.each(["a", "0123456789abcdef", "figure-5.quick", "a_b", "-x"])(
  "%j names a file of its folder",
  (name) => {
    expect(pathIn("folder", name, ".jsonl")).toBe(join("folder", `${name}.jsonl`));
  },
);

test.each(["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a\0", "C:", "é", "a b", "x\u001B[2J"])(
  "%j names none",
  (name) => {
    expect(() => pathIn("folder", name)).toThrow(/^invalid name ".*": it would be/);
  },
);
