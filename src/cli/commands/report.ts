/** `lucid report`: a run, a study or a certificate as one page that needs nothing but itself. */
import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "@commander-js/extra-typings";
import { InputError } from "../../engine/errors.ts";
import { makeFolder, readText, writeText } from "../../platform/node/files.ts";
import { parseCertificate } from "../../read/certificate.ts";
import { isPack } from "../../read/pack.ts";
import { studyFiles } from "../../read/study.ts";
import { option, storeOption } from "../shared/arguments.ts";
import { openStored, storeUrl } from "../shared/stored.ts";
import { studyHtml } from "../shared/study-html.ts";
import { printJson, type Terminal } from "../shared/terminal.ts";
import { readFinishedRun } from "../shared/finished-run.ts";

interface ReportFlags {
  readonly out?: string;
  readonly store?: string;
  readonly json?: boolean;
}

export function addReport(program: Command, terminal: Terminal): void {
  program
    .command("report")
    .description("Show a run, a study or a certificate as one page, without network.")
    .argument(
      "<what>",
      "a run's folder; a study's folder, packed file, or name in the database; or what certify --json printed",
    )
    .addOption(option("--out <file>", "where the page goes (default: report.html)"))
    .addOption(storeOption())
    .option("--json", "print one JSON document: what it is, and the page's file")
    .action((what, flags) => report(what, flags, terminal));
}

async function report(what: string, flags: ReportFlags, terminal: Terminal): Promise<void> {
  const { out = "report.html" } = flags;
  const { kind, html } = await pageOf(what, flags.store);
  await makeFolder(dirname(out));
  await writeText(out, html);
  if (flags.json) printJson(terminal, { kind, out });
  else terminal.out(`${pathToFileURL(resolve(out)).href}\n`);
}

const remedy =
  "(give the folder of a run or a study, a packed study, or what lucid certify --json printed)";

/** What it is, and its page. Everything that draws is loaded on demand. */
async function pageOf(what: string, store: string | undefined) {
  if (what.endsWith(".json")) return { kind: "certificate", html: await certificateHtml(what) };
  if (isFile(join(what, "config.json"))) return { kind: "run", html: await runHtml(what) };
  if (!existsSync(what) && storeUrl(store) === undefined) {
    throw new InputError(`missing ${what}: nothing is there ${remedy}`);
  }
  if (
    store === undefined &&
    existsSync(what) &&
    !isPack(what) &&
    !isFile(join(what, studyFiles.study))
  ) {
    throw new InputError(
      `invalid ${what}: neither a run, nor a study, nor a certificate ${remedy}`,
    );
  }
  const stored = await openStored(what, store);
  try {
    return { kind: "study", html: await studyHtml(stored) };
  } finally {
    await stored.close();
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

async function certificateHtml(file: string): Promise<string> {
  const certificate = parseCertificate(await readText(file), file);
  const { certificatePage } = await import("../../report/certificate-page.ts");
  return certificatePage({ certificate });
}

async function runHtml(folder: string): Promise<string> {
  const { result, rows } = await readFinishedRun(folder);
  const { runPage } = await import("../../report/run-page.ts");
  return runPage({ title: `Run ${basename(resolve(folder))}`, runs: [{ result, rows }] });
}
