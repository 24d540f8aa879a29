/** What the entry points export is documented: a script fails where a doc comment is missing. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";

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
for (const problem of problems) console.error(`missing doc comment: ${problem}`);
process.exitCode = problems.size > 0 ? 1 : 0;
