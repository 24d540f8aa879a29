/**
 * The tables of docs/what-we-found.md from the rows of figure-5.
 *
 *     node --conditions=source studies/figure-5-report.ts studies/results/figure-5-quick.jsonl.gz
 */
import type { MetricRow } from "lucid-sam/run";
import { readStudyFolder } from "lucid-sam/store";
import { describeCoordinates, verdictName, type Row } from "lucid-sam/study";

/**
 * A run has stalled when it ends less than a tenth below 2.3026 = ln 10, what guessing costs, and
 * is at a standstill: the loss falls by less than 1 % in the last tenth of the run.
 */
const guessing = Math.log(10);

/** Steps over which a person would want to see the loss fall by 1 % before calling it stuck. */
const patiences = [512, 1024, 2048];

interface Run {
  readonly row: Row;
  readonly history: readonly MetricRow[];
  readonly stalled: boolean;
}

const folder = process.argv[2];
if (folder === undefined) throw new Error("missing study (give the folder or file of one)");
const stored = await readStudyFolder(folder);
const runs: Run[] = [];
for await (const row of stored.rows()) {
  const history = await stored.history(row.cell);
  runs.push({ row, history, stalled: hasStalled(row, history) });
}

function hasStalled({ final, spec }: Row, history: readonly MetricRow[]): boolean {
  const end = final?.loss ?? Infinity;
  const before = history.findLast(({ step }) => step <= 0.9 * spec.steps)?.loss ?? Infinity;
  return end > 0.9 * guessing && before - end < 0.01 * end;
}

/** The first kept step at which the loss has not fallen by 1 % over the last `patience` steps. */
function visibleFrom(history: readonly MetricRow[], patience: number): number | undefined {
  return history.find(({ step, loss }) => {
    const before = history.findLast((row) => row.step <= step - patience);
    return before !== undefined && loss > 0.99 * before.loss;
  })?.step;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const short = (value: number): string => String(Number(value.toPrecision(3)));
const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
  [line(head), line(head.map(() => "---")), ...rows.map(line), ""].join("\n");

/** `rho=2 training=sam` */
function groupName({ row }: Run): string {
  const { seed: _seed, ...at } = row.at;
  return describeCoordinates(at);
}

const groups = [...Map.groupBy(runs, groupName).values()]
  .map((group) => ({ group, at: (group[0] as Run).row.at }))
  .sort(
    (a, b) =>
      String(a.at["training"]).localeCompare(String(b.at["training"])) ||
      Number(a.at["rho"]) - Number(b.at["rho"]),
  );

console.log(
  table(
    ["training", "ρ", "stalled", "final loss: median (range)", "test accuracy", "verdicts"],
    groups.map(({ group, at }) => {
      const losses = group.map(({ row }) => row.final?.loss ?? NaN);
      const accuracies = group.map(({ row }) => row.final?.testAccuracy ?? NaN);
      const verdicts = Map.groupBy(group, ({ row }) => verdictName(row) ?? "failed");
      return [
        String(at["training"]),
        Number(at["rho"]),
        `${group.filter(({ stalled }) => stalled).length} of ${group.length}`,
        `${short(median(losses))} (${short(Math.min(...losses))} to ${short(Math.max(...losses))})`,
        `${(100 * median(accuracies)).toFixed(1)} %`,
        [...verdicts]
          .sort(([, a], [, b]) => b.length - a.length)
          .map(([name, { length }]) => `${length} ${name}`)
          .join(", "),
      ];
    }),
  ),
);

const warned = (run: Run) => run.row.warning !== null;
const stalled = runs.filter((run) => run.stalled);
const others = runs.filter((run) => !run.stalled);
console.log(
  table(
    ["", "stalled", "not stalled"],
    [
      ["warned", stalled.filter(warned).length, `${others.filter(warned).length} (false alarms)`],
      [
        "not warned",
        `${stalled.filter((run) => !warned(run)).length} (misses)`,
        others.filter((run) => !warned(run)).length,
      ],
    ],
  ),
);

const alarms = Map.groupBy(others.filter(warned), groupName);
console.log(
  `False alarms: ${[...alarms].map(([key, { length }]) => `${key}: ${length}`).join("; ") || "none"}\n`,
);

console.log(
  table(
    [
      "patience",
      "stall visible at step: median",
      "warning at step: median",
      "lead: median (range)",
    ],
    patiences.map((patience) => {
      const pairs = stalled.flatMap(({ row, history }) => {
        const seen = visibleFrom(history, patience);
        return row.warning && seen !== undefined ? [{ seen, at: row.warning.step }] : [];
      });
      const leads = pairs.map(({ seen, at }) => seen - at);
      return [
        patience,
        median(pairs.map(({ seen }) => seen)),
        median(pairs.map(({ at }) => at)),
        `${median(leads)} (${Math.min(...leads)} to ${Math.max(...leads)})`,
      ];
    }),
  ),
);
