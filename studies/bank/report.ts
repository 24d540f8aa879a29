/** How the screen does on the bank: `node studies/bank/report.ts [--runs]` prints docs/screen.md's tables. */
import {
  labelOf,
  readBank,
  screened,
  contradictedSteps,
  waitingSteps,
  warnedSteps,
  type BankRun,
  type Contradiction,
  type JudgeOptions,
  type Label,
  type Wait,
} from "./bank.ts";
import { gathersSpeed, type Assessment } from "../../src/diagnostics/screen/rules.ts";
import { screenTolerances, type ScreenTolerances } from "../../src/diagnostics/screen/screen.ts";
import { clopperPearson } from "../intervals.ts";

export interface Judged {
  readonly run: BankRun;
  readonly label: Label;
  readonly verdict: string;
  /** Step of the warning, as a fraction of the run. */
  readonly warned: number | undefined;
}

export const judgeAll = (runs: readonly BankRun[], options?: JudgeOptions): Judged[] =>
  runs.map((run) => {
    const screen = screened(run, options);
    return {
      run,
      label: labelOf(run),
      verdict: screen.verdict().name,
      warned: screen.warning && screen.warning.step / run.steps,
    };
  });

/** A count, and what it says about the proportion behind it. */
export function proportion(k: number, n: number): string {
  if (n === 0) return "–";
  const [low, high] = clopperPearson(k, n).map((bound) => Math.round(100 * bound));
  return `${k} of ${n} (${low}–${high} %)`;
}

export const share = (some: readonly Judged[], holds: (one: Judged) => boolean) => {
  const n = some.length;
  const k = some.filter(holds).length;
  return proportion(k, n);
};

export const early = ({ warned }: Judged) => warned !== undefined && warned < 0.5;
const isWrong = ({ verdict }: Judged) => verdict === "descending" || verdict === "minimizer";

/** Mean loss over the last so many steps before one. */
export function lossBefore({ rows }: BankRun, step: number, width: number): number {
  const seen = rows.filter(([at]) => at != null && at >= step - width && at <= step);
  return seen.reduce((sum, [, loss]) => sum + (loss ?? NaN), 0) / seen.length;
}

/**
 * Warnings in the first half of a run, and those of them that were true of their own horizon: after
 * as many steps again as had been taken, nine tenths of the loss was still there.
 */
export function trueOfTheirHorizon(judged: readonly Judged[]): { of: number; held: number } {
  const held = judged.flatMap(({ run, warned = 1 }) => {
    const { steps } = run;
    const at = warned * steps;
    return 2 * at > steps
      ? []
      : [lossBefore(run, 2 * at, 0.2 * at) > 0.9 * lossBefore(run, at, 0.2 * at)];
  });
  return { of: held.length, held: held.filter(Boolean).length };
}

/** One line per family, and one for all. */
export function table(judged: readonly Judged[]): string {
  const families = [...new Set(judged.map(({ run }) => run.family))];
  const row = (name: string, some: readonly Judged[]) => {
    const of = (label: Label) => some.filter((one) => one.label === label);
    const [stalled, trained, between] = [of("stalled"), of("trained"), of("between")];
    return [
      name,
      some.length,
      share(stalled, early),
      share(trained, ({ warned }) => warned !== undefined),
      between.length === 0
        ? "–"
        : `${between.filter(({ warned }) => warned !== undefined).length} of ${between.length}`,
      `${stalled.filter(isWrong).length} of ${stalled.length}`,
    ];
  };
  return [
    ["family", "runs", "stalls warned of in time", "false alarms", "warned, between", "wrong ends"],
    ["---", "---", "---", "---", "---", "---"],
    ...families.map((name) =>
      row(
        name,
        judged.filter(({ run }) => run.family === name),
      ),
    ),
    row("**all**", judged),
  ]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

/** Thresholds that decide on warnings. */
const tuned = [
  "agreement",
  "flat",
  "slow",
  "forgone",
  "excluded",
  "quickening",
  "misaligned",
  "largeRatio",
  "little",
  "slowing",
  "raised",
  "outweighed",
  "lost",
  "fewestRows",
  "patience",
] as const satisfies readonly (keyof ScreenTolerances)[];

/** The thresholds as they are, and each of them halved and doubled. */
export const settings: readonly { readonly name: string; readonly tolerances: ScreenTolerances }[] =
  [
    { name: "as they are", tolerances: screenTolerances },
    ...tuned.flatMap((name) =>
      [0.5, 2].map((factor) => ({
        name: `${name} × ${factor}`,
        tolerances: { ...screenTolerances, [name]: factor * screenTolerances[name] },
      })),
    ),
  ];

/** All runs with each of the settings; verdicts are those of the settings as they are. */
export function judgeBySetting(judged: readonly Judged[]): readonly (readonly Judged[])[] {
  const tolerances = settings.map((setting) => setting.tolerances);
  return warnedOtherwise(judged, (run) => warnedSteps(run, tolerances), settings.length);
}

/** All runs with each of several warnings in place of theirs. */
function warnedOtherwise(
  judged: readonly Judged[],
  stepsOf: (run: BankRun) => readonly (number | undefined)[],
  count: number,
): readonly (readonly Judged[])[] {
  const steps = judged.map(({ run }) => stepsOf(run));
  return Array.from({ length: count }, (_, i) =>
    judged.map((one, j) => {
      const step = steps[j]?.[i];
      return { ...one, warned: step === undefined ? undefined : step / one.run.steps };
    }),
  );
}

/** Whether the last part of the run excludes a fall by more than a share in as many steps again. */
const excludes =
  (part: number, share: number): Wait =>
  ({ signals, horizon, recent }) => {
    const slope = signals.slope(1 - part, 1);
    return slope !== undefined && -slope.low * horizon < share * Math.abs(recent.loss);
  };

const hasHeldFor =
  (part: number): Wait =>
  ({ horizon }, since) =>
    since <= (1 - part) * horizon;

/** Whether the run seems to leave a saddle: the loss falls beyond doubt while ‖g‖ and the cosine grow. */
function leavesSaddle({ signals, drift }: Assessment): boolean {
  const [before, now] = [signals.window(0.5, 0.75), signals.window(0.75, 1)];
  const grows = now.gradNorm > before.gradNorm && now.cosine > Math.max(0, before.cosine);
  return drift !== undefined && drift.high < 0 && grows;
}

/** The screen's own way to wait. */
export const waitInUse =
  "until the last three quarters exclude a fall by 10 %, and while the fall gathers speed";

/** Ways for a warning to wait, of which the screen uses one: what the others would be good for. */
export const waits: { readonly [name: string]: Wait } = {
  "not at all": () => true,
  ...Object.fromEntries(
    [0.05, 0.1, 0.2].flatMap((share) => [
      [`until the last half excludes a fall by ${100 * share} %`, excludes(1 / 2, share)],
      [`until the last three quarters exclude a fall by ${100 * share} %`, excludes(3 / 4, share)],
      [`until the whole run excludes a fall by ${100 * share} %`, excludes(1, share)],
    ]),
  ),
  [waitInUse]: (found, since) =>
    excludes(3 / 4, 0.1)(found, since) && !gathersSpeed(found, screenTolerances),
  "until the last three quarters exclude a fall by 10 %, and while ‖g‖ and the cosine grow and the loss falls":
    (found, since) => excludes(3 / 4, 0.1)(found, since) && !leavesSaddle(found),
  "until the evidence has held for the last tenth": hasHeldFor(1 / 10),
  "until the evidence has held for the last quarter": hasHeldFor(1 / 4),
  "until the evidence has held for the last third": hasHeldFor(1 / 3),
  "until the evidence has held for the last half": hasHeldFor(1 / 2),
};

/** All runs with each of the ways to wait. */
export function judgeByWait(judged: readonly Judged[]): readonly (readonly Judged[])[] {
  const ways = Object.values(waits);
  return warnedOtherwise(judged, (run) => waitingSteps(run, ways), ways.length);
}

/** Ways to use what descent in a copy did, where rows have it; the screen uses the second. */
export const contradictions: { readonly [name: string]: Contradiction | "not asked" } = {
  "not asked": "not asked",
  "asked, as the screen does": () => false,
  "asked; silent where descent did not lower the loss": ({ late }) => late.descentFall <= 0,
  // The fall over the last half of the run, for as many steps as descent took.
  "asked; silent where descent took no more than the run itself": (
    { late, fall, horizon },
    { k },
  ) => late.descentFall <= Math.max(0, (2 * k * fall) / horizon),
};

/** The runs whose rows have a counterfactual, with each of these ways. */
export function judgeByDescent(judged: readonly Judged[]): readonly (readonly Judged[])[] {
  const asked = judged.filter(({ run }) => run.k > 0);
  const ways = Object.values(contradictions).filter((way) => way !== "not asked");
  return [asked, ...warnedOtherwise(asked, (run) => contradictedSteps(run, ways), ways.length)];
}

/** What each of these ways does on all of these runs together. */
export const descentTable = (byDescent: readonly (readonly Judged[])[]): string =>
  linesOfAll("descent in a copy", Object.keys(contradictions), byDescent);

/** What each way to wait would do on all families together. */
export const waitingTable = (byWait: readonly (readonly Judged[])[]): string =>
  linesOfAll("a warning waits", Object.keys(waits), byWait);

/** Stalls warned of in time, less twenty times the share of false alarms: what tuning looks for. */
function merit(judged: readonly Judged[]): number {
  const stalled = judged.filter(({ label }) => label === "stalled");
  const trained = judged.filter(({ label }) => label === "trained");
  const alarms = trained.filter(({ warned }) => warned !== undefined);
  return stalled.filter(early).length / stalled.length - (20 * alarms.length) / trained.length;
}

/**
 * Leave one family out: of all settings the one that does best on the other families, applied to the
 * one left out. The settings as they are win ties.
 */
export function heldOut(
  bySetting: readonly (readonly Judged[])[],
  names: readonly string[] = settings.map(({ name }) => name),
): {
  readonly chosen: { readonly [family: string]: string };
  readonly judged: readonly Judged[];
} {
  const families = [...new Set((bySetting[0] ?? []).map(({ run }) => run.family))];
  const chosen: { [family: string]: string } = {};
  const judged = families.flatMap((family) => {
    const merits = bySetting.map((all) => merit(all.filter(({ run }) => run.family !== family)));
    const best = merits.indexOf(Math.max(...merits));
    chosen[family] = names[best] ?? "";
    return (bySetting[best] ?? []).filter(({ run }) => run.family === family);
  });
  return { chosen, judged };
}

/** What halving and doubling each threshold does on all families together. */
export const sensitivity = (bySetting: readonly (readonly Judged[])[]): string =>
  linesOfAll(
    "thresholds",
    settings.map(({ name }) => name),
    bySetting,
  );

/** A line for each of several ways to warn, of all families together. */
const linesOfAll = (
  title: string,
  names: readonly string[],
  ways: readonly (readonly Judged[])[],
): string =>
  [
    `| ${title} | stalls warned of in time | false alarms |`,
    "| --- | --- | --- |",
    ...ways.map((judged, i) => {
      const [, , caught, alarms] = lastRow(judged);
      return `| ${names[i]} | ${caught} | ${alarms} |`;
    }),
  ].join("\n");

const lastRow = (judged: readonly Judged[]) =>
  (table(judged).split("\n").at(-1) ?? "").slice(2, -2).split(" | ");

if (import.meta.main) {
  const runs = readBank();
  const isLong = process.argv.includes("--runs");
  for (const options of [{}, { withDescent: true }, { withGuess: true }]) {
    const judged = judgeAll(runs, options);
    console.log(`\n${JSON.stringify(options)}\n\n${table(judged)}\n`);
    for (const one of isLong ? judged : []) {
      const { run, label, verdict, warned } = one;
      const isMissed = label === "stalled" && (!early(one) || isWrong(one));
      if (isMissed || (label === "trained" && warned !== undefined)) {
        const ends = [run.end, run.later, run.twinEnd].map((loss) => loss?.toPrecision(3));
        console.log(run.family, run.rho, run.seed, label, verdict, warned, ...ends);
      }
    }
  }
  console.log(`\n${descentTable(judgeByDescent(judgeAll(runs)))}`);
  console.log("\ntrue of their horizon:", trueOfTheirHorizon(judgeAll(runs)));
  const bySetting = judgeBySetting(judgeAll(runs));
  const { chosen, judged } = heldOut(bySetting);
  console.log(`\nleave one family out: ${JSON.stringify(chosen)}\n\n${table(judged)}`);
  console.log(`\n${sensitivity(bySetting)}`);
  const byWait = judgeByWait(bySetting[0] ?? []);
  const waited = heldOut(byWait, Object.keys(waits));
  console.log(`\n${waitingTable(byWait)}`);
  console.log(
    `\nleave one family out: ${JSON.stringify(waited.chosen)}\n\n${table(waited.judged)}`,
  );
}
