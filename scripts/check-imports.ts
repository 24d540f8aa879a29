/** Imports run one way: a room may use the rooms before it, never those after it. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";

const source = resolve(import.meta.dirname, "../src");

/** What each room may import besides itself. */
const allowed: { readonly [room: string]: readonly string[] } = {
  engine: [],
  settings: ["engine"],
  problems: ["engine", "settings"],
  sam: ["engine", "settings", "problems"],
  diagnostics: ["engine", "settings", "problems", "sam"],
  platform: ["engine", "settings", "problems"],
  run: ["engine", "settings", "problems", "sam", "diagnostics", "platform"],
  study: ["engine", "settings", "problems", "sam", "diagnostics", "platform", "run"],
  sweep: ["engine", "problems", "diagnostics", "platform", "run", "study"],
  store: ["engine", "problems", "sam", "diagnostics", "platform", "run", "study", "sweep"],
  figures: ["engine", "settings", "problems", "sam", "diagnostics", "run", "study"],
  bench: ["engine", "problems", "sam", "platform", "run", "study"],
  cli: [
    "engine",
    "settings",
    "problems",
    "sam",
    "diagnostics",
    "platform",
    "run",
    "study",
    "sweep",
    "store",
    "figures",
    "bench",
    "index.ts",
  ],
};
const pattern = /(?:from|import)\s*\(?\s*"(\.[^"]+)"/g;

const wrong: string[] = [];
for (const name of readdirSync(source, { recursive: true, encoding: "utf8" })) {
  // Tests may reach across rooms; the root files are the public entry points.
  if (!name.endsWith(".ts") || name.endsWith(".test.ts") || !name.includes(sep)) continue;
  const room = name.split(sep)[0] as string;
  const may = allowed[room];
  if (may === undefined) {
    wrong.push(`unknown room: src/${room} (name it in scripts/check-imports.ts)`);
    continue;
  }
  const file = join(source, name);
  for (const [, specifier] of readFileSync(file, "utf8").matchAll(pattern)) {
    const target = relative(source, resolve(dirname(file), specifier as string)).split(sep)[0];
    if (target !== room && !may.includes(target as string)) {
      wrong.push(`invalid import in src/${name}: ${specifier} (${room} may not use ${target})`);
    }
  }
}
for (const line of wrong) console.error(line);
process.exitCode = wrong.length > 0 ? 1 : 0;
