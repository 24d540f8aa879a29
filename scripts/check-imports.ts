/**
 * The check of imports. They run one way: a room may use the rooms before it, never those after it.
 * What a browser may load reaches nothing that needs Node, and reading the spec of a run does not load
 * jax-js. The lab uses entry points that a browser may load.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";

const root = resolve(import.meta.dirname, "..");
const source = join(root, "src");

/** All that figures and commands are made from. */
const drawn = [
  "engine",
  "settings",
  "problems",
  "sam",
  "diagnostics",
  "platform",
  "run",
  "study",
  "sweep",
  "read",
  "store",
  "figures",
  "report",
];

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
  read: ["engine", "problems", "diagnostics", "platform", "run", "study"],
  store: ["engine", "problems", "sam", "diagnostics", "platform", "run", "study", "sweep", "read"],
  serve: ["engine", "platform", "read"],
  figures: ["engine", "settings", "problems", "sam", "diagnostics", "run", "study"],
  surface: [],
  report: ["engine", "problems", "sam", "diagnostics", "run", "figures", "surface"],
  reproduce: drawn,
  bench: ["engine", "problems", "sam", "diagnostics", "platform", "run", "study"],
  cli: [...drawn, "serve", "reproduce", "bench", "index.ts"],
};
/** Specifiers of all imports of files here, types and those on demand among them. */
const relatives = /(?:from|import)\s*\(?\s*"(\.[^"]+)"/g;
/** Specifiers of what is loaded with a file. An `import { type … }` loads the file it names. */
const loaded =
  /^(?:import|export)\s+(?:(?!type\b)(?:[\w$]+\s*,\s*)?(?:\{[^}]*\}|\*(?:\s+as\s+[\w$]+)?|[\w$]+)\s*from\s+)?"([^"]+)"/gm;

const wrong: string[] = [];
const name = (file: string) => relative(root, file).replaceAll(sep, "/");
const specifiers = (file: string, pattern: RegExp): string[] =>
  Array.from(readFileSync(file, "utf8").matchAll(pattern), ([, specifier]) => specifier as string);

for (const path of readdirSync(source, { recursive: true, encoding: "utf8" })) {
  // Tests may reach across rooms; the root files are the public entry points.
  if (!path.endsWith(".ts") || path.endsWith(".test.ts") || !path.includes(sep)) continue;
  const room = path.split(sep)[0] as string;
  const may = allowed[room];
  if (may === undefined) {
    wrong.push(`unknown room: src/${room} (name it in scripts/check-imports.ts)`);
    continue;
  }
  const file = join(source, path);
  for (const specifier of specifiers(file, relatives)) {
    const target = relative(source, resolve(dirname(file), specifier)).split(sep)[0];
    if (target !== room && !may.includes(target as string)) {
      wrong.push(`invalid import in ${name(file)}: ${specifier} (${room} may not use ${target})`);
    }
  }
}

/** Report packages that `banned` names, in `entry` or in anything that is loaded with it. */
function forbid(entry: string, banned: RegExp, reason: string): void {
  const pathTo = new Map([[entry, name(entry)]]);
  for (const [file, path] of pathTo) {
    for (const specifier of specifiers(file, loaded)) {
      if (banned.test(specifier)) {
        wrong.push(`invalid import in ${name(file)}: ${specifier} (${reason}; by ${path})`);
      }
      const next = resolve(dirname(file), specifier);
      // Added to the end of the walk.
      if (specifier.startsWith(".") && !pathTo.has(next))
        pathTo.set(next, `${path} → ${name(next)}`);
    }
  }
}

const needsNode = /^node:|^(onnxruntime-node|pg|pg-boss|@resvg\/resvg-js|env-paths|linkedom)(\/|$)/;
/** Entry points for Node alone. */
const nodeEntries = ["./store", "./report"];
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: { [entry: string]: { readonly source?: string } };
};
for (const [entry, { source: file }] of Object.entries(exports)) {
  // Studies are stored in folders and databases; pages are rendered without a browser.
  if (file === undefined || nodeEntries.includes(entry)) continue;
  forbid(resolve(root, file), needsNode, "a browser may load this");
}
const bringsJax = /^@jax-js\/jax$/;
forbid(join(source, "run/spec.ts"), bringsJax, "reading a spec loads this");
forbid(join(source, "read/index.ts"), bringsJax, "reading what is stored loads this");

/** The lab, in components too: entry points that browsers may load, and itself. */
const lab = join(root, "lab");
const doors = Object.keys(exports).filter((entry) => !nodeEntries.includes(entry));
const labImports = /(?:from|import)\s*\(?\s*"((?:\.|lucid-sam|[#/])[^"]*)"/g;
for (const path of readdirSync(lab, { recursive: true, encoding: "utf8" })) {
  if (/(^|[\\/])(node_modules|dist)[\\/]/.test(path) || !/\.(svelte|[cm]?[jt]s)$/.test(path))
    continue;
  const file = join(lab, path);
  for (const specifier of specifiers(file, labImports)) {
    const isOwn =
      specifier.startsWith(".") && resolve(dirname(file), specifier).startsWith(lab + sep);
    if (isOwn || doors.includes(specifier.replace(/^lucid-sam/, "."))) continue;
    wrong.push(
      `invalid import in ${name(file)}: ${specifier} (the lab may use ${doors
        .filter((entry) => entry !== "." && !entry.endsWith(".json"))
        .map((entry) => entry.replace(".", "lucid-sam"))
        .join(", ")})`,
    );
  }
}

for (const line of wrong) console.error(line);
process.exitCode = wrong.length > 0 ? 1 : 0;
