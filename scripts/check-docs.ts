/**
 * The check of the documentation: modules and what the entry points export have doc comments,
 * every path and link of a page leads somewhere, and commands can be copied.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const { exports } = JSON.parse(readFileSync(resolve(root, "package.json"), "utf8")) as {
  exports: { [entry: string]: { source?: string } };
};
const reexport = /export (?:type )?\{([^}]*)\} from "([^"]+)"/g;

/** Whether `symbol` is declared in the lines with a doc comment right above, if it is declared there. */
function documented(lines: readonly string[], symbol: string): boolean | undefined {
  const declaration = new RegExp(
    `^export (?:abstract |async )*(?:function\\*?|const|class|interface|type) ${symbol}\\b`,
  );
  const at = lines.findIndex((line) => declaration.test(line));
  return at < 0 ? undefined : (lines[at - 1] ?? "").trimEnd().endsWith("*/");
}

const problems = new Set<string>();
const visit = (file: string, wanted?: ReadonlySet<string>) => {
  const text = readFileSync(file, "utf8");
  const lines = text.split("\n");
  const names =
    wanted ??
    new Set([...text.matchAll(/^export [^{]*? (\w+)\b[^"]*$/gm)].map(([, n]) => n as string));
  for (const symbol of names) {
    if (documented(lines, symbol) === false) problems.add(`${relative(root, file)}: ${symbol}`);
  }
  for (const [, list, from] of text.matchAll(reexport)) {
    // Packages document themselves.
    if (!(from as string).startsWith(".")) continue;
    const inner = (list as string)
      .split(",")
      .map(
        (name) =>
          name
            .replace(/^\s*(type )?/, "")
            .split(" as ")[0]
            ?.trim() ?? "",
      )
      .filter((name) => name !== "" && (wanted === undefined || wanted.has(name)));
    if (inner.length > 0) visit(resolve(dirname(file), from as string), new Set(inner));
  }
};
for (const [entry, { source }] of Object.entries(exports)) {
  if (source === undefined) continue;
  const file = resolve(root, source);
  if (existsSync(file)) visit(file);
  else problems.add(`${entry}: ${source} does not exist`);
}
// The first line of a module says what it is.
const modules = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
for (const name of modules.filter((path) => /(?<!\.test)\.ts$/.test(path))) {
  const file = join("src", name);
  if (!readFileSync(join(root, file), "utf8").startsWith("/**"))
    problems.add(`${file}: the module`);
}
for (const problem of problems) console.error(`missing doc comment: ${problem}`);

const pages = ["", "docs"].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name)),
);
/** Paths from the root of this repository, such as `src/index.ts`; not those within an address. */
const paths = /(?<![\w./-])(?:src|docs|examples|studies|scripts|test|bin)\/[\w./-]*\w/g;
const links = /\]\((?!https?:)([^)#\s]+)/g;
/** `NAME` in a path stands for any. */
const placeholder = /\b[A-Z]{2,}\b/;
const lost = new Set<string>();
for (const page of pages) {
  const text = readFileSync(join(root, page), "utf8");
  for (const [path] of text.matchAll(paths)) {
    if (!placeholder.test(path) && !existsSync(join(root, path))) lost.add(`${page}: ${path}`);
  }
  for (const [, link] of text.matchAll(links)) {
    if (!existsSync(join(root, dirname(page), link as string))) lost.add(`${page}: ${link}`);
  }
}
for (const path of lost) console.error(`unknown path in ${path}`);

/** A clone, and a project that depends on the package, have the command as `npx lucid`. */
const bare = /^\s*lucid .*$/gm;
const commands = /^```sh\n(.*?)^```/gms;
const uncopiable = pages.flatMap((page) =>
  [...readFileSync(join(root, page), "utf8").matchAll(commands)]
    .flatMap(([, block = ""]) => block.match(bare) ?? [])
    .map((line) => `${page}: ${line}`),
);
for (const line of uncopiable) console.error(`missing npx in ${line}`);
process.exitCode = problems.size + lost.size + uncopiable.length > 0 ? 1 : 0;
