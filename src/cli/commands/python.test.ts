import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lucid } from "../../../test/lucid.ts";
import { pythonFolder } from "../../run/python/child.ts";

test("lucid python prints how to record a run, and copies the package", async () => {
  const usage = await lucid("python");
  expect(usage).toMatchObject({ code: 0, err: "" });
  expect(usage.out).toContain("from lucid_sam import Probe");
  const folder = await mkdtemp(join(tmpdir(), "lucid-python-"));
  try {
    const copied = await lucid("python", "--write", join(folder, "new"));
    expect(copied).toMatchObject({ code: 0, out: "" });
    const copy = join(folder, "new", "lucid_sam");
    expect(await readdir(copy)).toEqual(
      expect.arrayContaining(["__init__.py", "probe.py", "watch.py", "py.typed"]),
    );
    for (const name of await readdir(copy)) {
      expect(await readFile(join(copy, name))).toEqual(await readFile(join(pythonFolder, name)));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
