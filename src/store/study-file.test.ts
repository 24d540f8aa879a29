import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { InputError } from "../engine/errors.ts";
import { readStudyFile } from "./study-file.ts";
import { afterEach, beforeEach, expect, test } from "vitest";

const bin = fileURLToPath(new URL("../../bin/lucid.js", import.meta.url));

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "lucid-study-file-"));
});
afterEach(() => rm(root, { recursive: true }));

// In a process of its own: here, vitest would find the modules.
test("a study file anywhere imports the library that reads it", async () => {
  await writeFile(
    join(root, "study.ts"),
    `import { methods } from "lucid-sam";
import { defineStudy, type Study } from "lucid-sam/study";

const name: Study["name"] = "anywhere";
const method = methods.find((entry) => entry.name === "sam")?.name;
export default defineStudy({
  name,
  fixed: { problem: "cosine", method },
  axes: { rho: [1, 2] },
  seeds: 2,
  steps: 3,
});
`,
  );
  const flags = ["--workers", "1", "--engine", "jax", "--json"];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [bin, "sweep", "study.ts", "--out", "rows", ...flags],
    { cwd: root },
  );
  expect(JSON.parse(stdout)).toMatchObject({ cells: 4, done: 4 });
});

test.each([
  ["study.txt", "{}", /study\.txt/],
  ["study.json", "[", /^invalid file .*study\.json/],
  ["study.mjs", "export default 1;", /study/],
  ["study.mjs", "export const a = 1;", /default|defineStudy/],
])("%s with %s is refused in one line", async (name, text, words) => {
  const path = join(root, name);
  await writeFile(path, text);
  const error: unknown = await readStudyFile(path).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(InputError);
  expect((error as Error).message).toMatch(words);
  expect((error as Error).message.split("\n")).toHaveLength(1);
});

test("a module and a JSON file say the same", async () => {
  const study = { name: "same", fixed: { problem: "cosine" }, axes: { rho: [1, 2] } };
  await writeFile(join(root, "same.json"), JSON.stringify(study));
  await writeFile(join(root, "same.mjs"), `export default ${JSON.stringify(study)};`);
  expect(await readStudyFile(join(root, "same.mjs"))).toEqual(
    await readStudyFile(join(root, "same.json")),
  );
});
