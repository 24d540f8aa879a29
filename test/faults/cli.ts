/** Runs of the command line as processes that can be killed. */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const lucid = join(import.meta.dirname, "../../bin/lucid.js");

export interface Running {
  readonly child: ChildProcess;
  /** Exit code, or the signal that ended it, with what it wrote to stderr. */
  readonly ended: Promise<{ readonly code: number | string; readonly stderr: string }>;
}

/** Start `lucid` with arguments, perhaps behind another command. */
export function start(
  args: readonly string[],
  before: readonly string[] = [],
  env: NodeJS.ProcessEnv = process.env,
): Running {
  const [command, ...rest] = [...before, process.execPath, lucid, ...args] as [string, ...string[]];
  const child = spawn(command, rest, { stdio: ["ignore", "ignore", "pipe"], env });
  let stderr = "";
  child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  const ended = new Promise<{ code: number | string; stderr: string }>((resolve) => {
    child.on("close", (code, signal) => resolve({ code: code ?? signal ?? "?", stderr }));
  });
  return { child, ended };
}

/** Run to the end; anything but success is an error. */
export async function run(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<void> {
  const { code, stderr } = await start(args, [], env).ended;
  if (code !== 0) throw new Error(`lucid ${args.join(" ")} ended with ${code}: ${stderr}`);
}

/** What a row says apart from where it comes from. */
export interface Comparable {
  readonly cell: string;
  readonly provenance?: unknown;
  /** Checksum of the line, provenance included; absent in a database. */
  readonly check?: unknown;
}

/** All complete rows of a study folder. */
export function rowsOf(folder: string): Comparable[] {
  const text = readFileSync(join(folder, "rows.jsonl"), "utf8");
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Comparable);
}

/** Rows of a study folder by cell, without provenance; a cell with two rows is an error. */
export const rowsByCell = (folder: string): Map<string, string> => byCell(rowsOf(folder));

/** What must be the same in any other sweep. */
export const contentOf = (row: Comparable): string =>
  JSON.stringify({ ...row, provenance: undefined, check: undefined });

export function byCell(rows: readonly Comparable[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const row of rows) {
    if (found.has(row.cell)) throw new Error(`two rows of cell ${row.cell}`);
    found.set(row.cell, contentOf(row));
  }
  return found;
}
