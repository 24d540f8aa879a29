/** Imports run one way: a room may use the rooms before it, never those after it. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";

const source = resolve(import.meta.dirname, "../src");

/** What each room may import besides itself. `platform` is the only one that touches the machine. */
const allowed: { readonly [room: string]: readonly string[] } = {
  engine: [],
  problems: ["engine"],
  sam: ["engine", "problems"],
  diagnostics: ["engine", "problems", "sam"],
  platform: ["engine", "problems"],
  study: ["engine", "problems", "sam", "diagnostics", "platform"],
  figures: ["engine", "problems", "sam", "diagnostics", "study"],
  bench: ["engine", "problems", "sam", "platform", "study"],
  cli: [
    "engine",
    "problems",
    "sam",
    "diagnostics",
    "platform",
    "study",
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
