/** When a clone builds the pages of the lab anew. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { builtPages } from "./pages.ts";

let root = "";
let builds = 0;
const pages = () => builtPages(() => builds++, root);

/** Write a file of the clone, at so many seconds after the start of 2000. */
function write(path: string, seconds: number, text = ""): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  const time = Date.UTC(2000) / 1000 + seconds;
  utimesSync(file, time, time);
  // New names change the folders above them.
  for (let up = dirname(file); up !== root; up = dirname(up)) utimesSync(up, time, time);
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lucid-pages-"));
  builds = 0;
});
afterEach(() => rmSync(root, { recursive: true }));

/** A build that says what it was asked, in place of Vite's. */
const builder = `
  import { mkdirSync, writeFileSync } from "node:fs";
  mkdirSync("dist", { recursive: true });
  writeFileSync("dist/index.html", process.argv.slice(2).join(" "));
`;

test("the package has them", async () => {
  expect(await pages()).toBe(join(root, "dist", "lab"));
  expect(builds).toBe(0);
});

test.each(["src/engine/run.ts", "lab/src/App.svelte", "lab/index.html", "lab/vite.config.ts"])(
  "a clone builds them when there are none, and when %s was written since",
  async (path) => {
    write("lab/src/main.ts", 0);
    write("src/index.ts", 0);
    write("node_modules/vite/bin/vite.js", 0, builder);
    expect(await pages()).toBe(join(root, "lab", "dist"));
    expect(builds).toBe(1);
    await pages();
    expect(builds).toBe(1);

    write("lab/dist/index.html", 10);
    write(path, 9);
    await pages();
    expect(builds).toBe(1);
    write(path, 11);
    await pages();
    expect(builds).toBe(2);
  },
);

test("what builds them must be there", async () => {
  write("lab/src/main.ts", 0);
  await expect(pages()).rejects.toThrow("missing vite, which builds the pages of the lab (npm ci)");
  expect(builds).toBe(0);
});
