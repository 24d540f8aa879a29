/** `lucid screen`: the verdict on a run by its log, whoever wrote it, also while it grows. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import type { EvidenceKind, Warning } from "../../diagnostics/screen/screen.ts";
import { InputError, unknownName } from "../../engine/errors.ts";
import { makeFolder, writeText } from "../../platform/node/files.ts";
import { catchInterrupt } from "../../platform/node/interrupt.ts";
import { startProgress } from "../../platform/node/progress.ts";
import { short, whole } from "../../report/words.ts";
import { createLogScreen, evidenceKinds, type LogScreen } from "../../run/logs/log-screen.ts";
import { followLog, readLog } from "../../run/logs/read-log.ts";
import type { StoredRun } from "../../read/run.ts";
import { readRunFolder } from "../../store/run-folder.ts";
import { option, pairsOption } from "../shared/arguments.ts";
import { sparkline } from "../shared/sparkline.ts";
import { Alarm, Interrupted, printJson, type Terminal } from "../shared/terminal.ts";

interface ScreenFlags {
  readonly follow?: boolean;
  readonly map?: { readonly [column: string]: string };
  readonly evidence?: string;
  readonly guessLoss?: string;
  readonly html?: string;
  readonly failOn?: string;
  readonly json?: boolean;
}

export function addScreen(program: Command, terminal: Terminal): void {
  program
    .command("screen")
    .description("Say what a run is by its log: of our own, of PyTorch, of any other training.")
    .argument(
      "<log>",
      "JSON lines, CSV, TensorBoard events, or the folder of a run or of such files",
    )
    .option("--follow", "stay, and say so when the log first supports a warning; Ctrl-C ends")
    .addOption(
      pairsOption(
        "--map <column=name>",
        "what the log calls a column, such as gradNorm=train/gn; may be repeated",
      ),
    )
    .addOption(
      option(
        "--evidence <kind>",
        "what rows were taken on: full, probe (a fixed batch) or batch (default: as the log says, or batch)",
      ),
    )
    .addOption(option("--guess-loss <loss>", "loss of the best constant answer, where it is known"))
    .addOption(option("--html <file>", "keep verdict and picture as a page"))
    .addOption(option("--fail-on <what>", "warning: end with exit code 3 where there is one"))
    .option("--json", "print one JSON document")
    .action((log, flags) => screenLog(log, flags, terminal));
}

async function screenLog(log: string, flags: ScreenFlags, terminal: Terminal): Promise<void> {
  const { follow = false, map, html, failOn, json = false } = flags;
  if (failOn !== undefined && failOn !== "warning") {
    throw unknownName("fail-on", failOn, ["warning"]);
  }
  if (follow && json) throw new InputError("invalid --json: a log that is followed has no end");
  if (html !== undefined) await makeFolder(dirname(html));
  const stored = await storedRun(log);
  const screen = createLogScreen({
    map,
    evidence: evidenceOf(flags.evidence) ?? stored?.evidence,
    dtype: stored?.run.config.spec.dtype,
    guessLoss: numberOf("guess-loss", flags.guessLoss),
  });
  const report = async () => {
    if (json) printJson(terminal, asJson(screen));
    else terminal.out(asText(log, screen, stored?.run));
    if (html === undefined) return;
    // Loaded on demand, as is all that draws.
    const { logPage } = await import("../../report/log-page.ts");
    const { verdict, warning } = screen;
    const remarks = remarksOf(screen, stored?.run);
    await writeText(
      html,
      logPage({ name: log, verdict, warning, rows: wholeRows(screen), remarks }),
    );
  };
  if (follow) await followScreen(log, screen, failOn !== undefined, terminal, report);
  else {
    await readLog(log, { onEntries: (entries) => void screen.push(entries) });
    screen.end();
    await report();
  }
  if (failOn !== undefined && screen.warning !== undefined) {
    throw new Alarm(`warned at step ${screen.warning.step}`);
  }
}

async function followScreen(
  log: string,
  screen: LogScreen,
  untilWarned: boolean,
  terminal: Terminal,
  report: () => Promise<void>,
): Promise<void> {
  const progress = startProgress({ stream: terminal.err });
  const enough = new AbortController();
  const interrupt = catchInterrupt(() => enough.abort());
  let told: Warning | undefined;
  let verdict = "";
  try {
    await followLog(log, {
      signal: enough.signal,
      onEntries: (entries) => void screen.push(entries),
      onIdle() {
        const { warning, rows, count } = screen;
        // Again where the log has begun anew.
        if (warning !== undefined && warning.step !== told?.step) {
          terminal.out(`step ${warning.step}: ${warning.sentence}\n`);
          if (untilWarned) enough.abort();
        }
        told = warning;
        const { name } = screen.verdict;
        if (count > 0 && name !== verdict) {
          verdict = name;
          terminal.out(`step ${rows.at(-1)?.step ?? 0}: ${name}\n`);
        }
        progress.update(() => followLine(log, screen));
      },
    });
  } finally {
    progress.done();
    interrupt.dispose();
  }
  screen.end();
  await report();
  if (interrupt.signal.aborted) throw new Interrupted();
}

function followLine(log: string, { count, rows, missing, names, verdict }: LogScreen): string {
  const last = rows.at(-1);
  if (last === undefined) {
    return names.length === 0
      ? `waiting for rows in ${log}`
      : `waiting for ${missing.join(", ")} in ${log}`;
  }
  return [
    `step ${whole(last.step)}`,
    `${whole(count)} rows`,
    `loss ${short(last.loss ?? NaN)}`,
    `GradRatio ${short((last.shiftedGradNorm ?? NaN) / (last.gradNorm ?? NaN))}`,
    verdict.name,
  ].join("  ");
}

/** The run of ours that a log belongs to, and what its rows were taken on. */
async function storedRun(
  log: string,
): Promise<{ readonly run: StoredRun; readonly evidence: EvidenceKind } | undefined> {
  const folder = log.endsWith("metrics.jsonl") ? dirname(log) : log;
  if (!existsSync(join(folder, "config.json")) || !existsSync(join(folder, "metrics.jsonl"))) {
    return undefined;
  }
  const run = await readRunFolder(folder);
  return { run, evidence: run.config.spec.batch === "full" ? "full" : "batch" };
}

function evidenceOf(given: string | undefined): EvidenceKind | undefined {
  if (given === undefined) return undefined;
  const kind = evidenceKinds.find((known) => known === given);
  if (kind === undefined) throw unknownName("evidence", given, evidenceKinds);
  return kind;
}

function numberOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isFinite(value)) return value;
  throw new InputError(`invalid ${flag}: ${text} (give a number)`);
}

/** What else there is to say. */
function remarksOf(screen: LogScreen, stored: StoredRun | undefined): string[] {
  const { missing, names, earlierRuns, remarks, verdict } = screen;
  const own = stored?.result?.verdict.name;
  return [
    ...(missing.length > 0 ? [advice(names)] : []),
    ...remarks,
    ...(earlierRuns > 0
      ? [
          `The log holds ${earlierRuns === 1 ? "a run" : `${earlierRuns} runs`} before this one: steps begin anew.`,
        ]
      : []),
    ...(own !== undefined && own !== verdict.name
      ? [`The run itself, which saw every step, says: ${own}.`]
      : []),
  ];
}

/** How the columns come into the log. */
const advice = (names: readonly string[]): string =>
  `The log has ${names.slice(0, 8).join(", ") || "no numbers"}. Where the columns have other names: --map gradNorm=NAME. A PyTorch loop writes them after lucid python --write . and two lines: probe = Probe(model, criterion, train_loader, rho=0.05) before the loop, probe() after each step.`;

function asText(log: string, screen: LogScreen, stored: StoredRun | undefined): string {
  const { verdict, warning, count } = screen;
  const rows = wholeRows(screen);
  const ratio = rows.map((row) => row.shiftedGradNorm / row.gradNorm);
  const [first, last] = [rows[0], rows.at(-1)];
  return [
    `${verdict.name}: ${verdict.sentence}`,
    "",
    warning === undefined
      ? "no warning"
      : `warned at step ${whole(warning.step)}: ${warning.sentence}`,
    ...(first === undefined || last === undefined
      ? []
      : [
          "",
          sparkline(
            "loss f(x)",
            rows.map((row) => row.loss),
          ),
          sparkline(
            "loss f(x⁺)",
            rows.map((row) => row.shiftedLoss),
          ),
          sparkline("GradRatio", ratio),
          `${whole(count)} rows, steps ${whole(first.step)} to ${whole(last.step)}, ${log}`,
        ]),
    ...remarksOf(screen, stored).flatMap((remark) => ["", remark]),
    "",
  ].join("\n");
}

type WholeRow = { readonly step: number } & {
  readonly [Name in "loss" | "shiftedLoss" | "gradNorm" | "shiftedGradNorm" | "cosine"]: number;
};

/** The rows that were judged have all that is drawn. */
const wholeRows = ({ rows }: LogScreen): WholeRow[] =>
  rows.map(
    ({
      step,
      loss = NaN,
      shiftedLoss = NaN,
      gradNorm = NaN,
      shiftedGradNorm = NaN,
      cosine = NaN,
    }) => ({
      step,
      loss,
      shiftedLoss,
      gradNorm,
      shiftedGradNorm,
      cosine,
    }),
  );

const asJson = (screen: LogScreen) => ({
  verdict: screen.verdict,
  warning: screen.warning ?? null,
  rows: screen.count,
  firstStep: screen.rows[0]?.step ?? null,
  lastStep: screen.rows.at(-1)?.step ?? null,
  missing: screen.missing,
  names: screen.names,
  earlierRuns: screen.earlierRuns,
  remarks: screen.remarks,
  header: screen.header ?? null,
});
