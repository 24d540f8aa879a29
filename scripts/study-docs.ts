/**
 * The generator of the tables of documentation pages from the rows of studies.
 *
 *     node --conditions=source scripts/study-docs.ts    # rewrites the tables between their marks
 *
 * A table stands between `<!-- table: NAME -->` and `<!-- table ends -->`. All rows are in
 * studies/results.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { format } from "prettier";
import { findingTables } from "../studies/tables/findings.ts";
import { hallucinatedMinimizerTables } from "../studies/tables/hallucinated-minimizer.ts";
import { outputBiasTables } from "../studies/tables/output-bias.ts";
import { realNetworkTables } from "../studies/tables/real-networks.ts";
import { remedyTables } from "../studies/tables/remedies.ts";

/** Tables by name. */
export interface Tables {
  readonly [name: string]: string;
}

const root = resolve(import.meta.dirname, "..");

/** Pages with such tables, and how to make these. */
export const pages: { readonly [page: string]: () => Promise<Tables> } = {
  "docs/what-we-found.md": findingTables,
  "docs/remedies.md": remedyTables,
  "docs/hallucinated-minimizer.md": hallucinatedMinimizerTables,
  "docs/output-bias.md": outputBiasTables,
  "docs/real-networks.md": realNetworkTables,
};

const mark = /<!-- table: ([\w-]+) -->[\s\S]*?<!-- table ends -->/g;

/** A page with its tables written anew; the text around them stays. */
export function withTables(document: string, tables: Tables): Promise<string> {
  const used = new Set<string>();
  const text = document.replace(mark, (_, name: string) => {
    const table = tables[name];
    if (table === undefined) throw new Error(`unknown table ${name}`);
    used.add(name);
    return `<!-- table: ${name} -->\n\n${table}\n\n<!-- table ends -->`;
  });
  const unused = Object.keys(tables).filter((name) => !used.has(name));
  if (unused.length > 0) throw new Error(`missing marks for the tables ${unused.join(", ")}`);
  return format(text, { parser: "markdown", printWidth: 100 });
}

/** What is left of a page without its generated tables. */
export const withoutTables = (document: string): string => document.replace(mark, "");

/** A page as it is in this repository. */
export const readPage = (page: string): string => readFileSync(join(root, page), "utf8");

if (process.argv[1] === import.meta.filename) {
  for (const [page, tables] of Object.entries(pages)) {
    if (!existsSync(join(root, page))) continue;
    writeFileSync(join(root, page), await withTables(readPage(page), await tables()));
  }
}
