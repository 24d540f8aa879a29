/** The tables of docs/what-we-found.md. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { createScreen, flatten, norm, type Screen } from "lucid-sam/diagnostics";
import type { MetricRow } from "lucid-sam/run";
import { mlp } from "lucid-sam";
import { tensor } from "lucid-sam/engine";
import { readContinuedEnds, type ContinuedEnd, type Stage } from "../continued-ends.ts";
import { readStalledEnds, type StalledEnd } from "../stalled-ends.ts";
import {
  accuracyOf,
  difference,
  digits,
  lossOf,
  markdown,
  median,
  paired,
  results,
  runsOf,
  seedOf,
  share,
  showPercent,
  showPoints,
  type StoredRun,
} from "./table.ts";

/** What guessing costs before anything is known of the frequencies. */
const guessing = Math.log(10);

/**
 * A run has stalled when it ends less than a tenth below what guessing costs and is at a standstill:
 * the loss falls by less than 1 % in the last tenth of the run.
 */
export function hasStalled({ row, history }: StoredRun): boolean {
  const end = row.final?.loss ?? Infinity;
  const before = history.findLast(({ step }) => step <= 0.9 * row.spec.steps)?.loss ?? Infinity;
  return end > 0.9 * guessing && before - end < 0.01 * end;
}

/** A screen of today that has seen the rows that were kept of a run. */
export function screened(history: readonly MetricRow[]): Screen {
  const screen = createScreen({ dtype: "float32", engine: "native", evidence: "full" });
  const column = (name: keyof MetricRow) => history.map((row) => Number(row[name]));
  screen.push({
    first: 0,
    count: history.length,
    step: column("step"),
    loss: column("loss"),
    shiftedLoss: column("shiftedLoss"),
    gradNorm: column("gradNorm"),
    shiftedGradNorm: column("shiftedGradNorm"),
    cosine: column("cosine"),
  });
  return screen;
}

/** ‖x₀‖ of the network 196–64–10, which depends on the seed alone. */
export function startNorm(seed: number): number {
  const image = {
    x: tensor(Array<number>(196).fill(0), [1, 196], "float64"),
    y: tensor([0], [1], "int32"),
  };
  const problem = mlp({
    train: { size: 1, batch: image },
    hidden: [64],
    classes: 10,
    dtype: "float64",
  });
  return norm(flatten(problem.init(seed)));
}

/** Every table of the page. */
export async function findingTables(): Promise<{ [name: string]: string }> {
  const runs = await runsOf("figure-5-quick");
  const descent = await runsOf("plain-descent");
  const ends = readStalledEnds(results("certificates.jsonl.gz"));
  return {
    ...stallTables(runs, descent),
    horizon: horizonTable(),
    long: longTable(await runsOf("figure-5-long")),
    ends: endsTable(ends),
    answers: answersTable(ends),
    refining: refiningTable(ends),
    zeros: zerosTable(ends),
    continued: continuedTable(readContinuedEnds(results("continuation.jsonl.gz"))),
  };
}

function stallTables(runs: readonly StoredRun[], descent: readonly StoredRun[]) {
  const place = ({ row }: StoredRun) => `${String(row.at["training"])} ${String(row.at["rho"])}`;
  const groups = [...Map.groupBy(runs, place).values()].toSorted(
    ([a], [b]) =>
      String(a?.row.at["training"]).localeCompare(String(b?.row.at["training"])) ||
      Number(a?.row.at["rho"]) - Number(b?.row.at["rho"]),
  );
  const screens = new Map(runs.map((run) => [run, screened(run.history)]));
  const count = (some: readonly StoredRun[], holds: (run: StoredRun) => boolean) =>
    share(some.filter(holds).length, some.length);
  const warned = (run: StoredRun) => screens.get(run)?.warning !== undefined;
  const cells = groups.map((group) => {
    const [first] = group;
    const rho = Number(first?.row.at["rho"]);
    const losses = group.map(lossOf);
    const verdicts = Map.groupBy(group, (run) => screens.get(run)?.verdict().name ?? "none");
    const relative = group.map((run) => rho / startNorm(seedOf(run)));
    return { group, rho, losses, verdicts, relative, training: String(first?.row.at["training"]) };
  });
  return {
    stalls: markdown(
      [
        "training",
        "ρ",
        "ρ/‖x₀‖",
        "stalled",
        "final loss: median (range)",
        "lowest on the way",
        "test accuracy, %",
        "− plain descent, points",
      ],
      cells.map(({ group, rho, losses, relative, training }) => [
        training === "sam" ? "SAM" : training,
        rho,
        digits(median(relative)),
        count(group, hasStalled),
        `${digits(median(losses), 3)} (${digits(Math.min(...losses), 3)} to ${digits(Math.max(...losses), 3)})`,
        digits(median(group.map(({ history }) => Math.min(...history.map(({ loss }) => loss)))), 3),
        showPercent(median(group.map(accuracyOf))),
        difference(paired(group, descent, accuracyOf), showPoints),
      ]),
    ),
    verdicts: markdown(
      [
        "training",
        "ρ",
        "stalled",
        "warned, of those that stalled",
        "warned, of the others",
        "verdicts of the screen",
      ],
      cells.map(({ group, rho, verdicts, training }) => {
        const [stalled, others] = [
          group.filter(hasStalled),
          group.filter((run) => !hasStalled(run)),
        ];
        return [
          training === "sam" ? "SAM" : training,
          rho,
          stalled.length,
          count(stalled, warned),
          count(others, warned),
          [...verdicts]
            .toSorted(([, a], [, b]) => b.length - a.length)
            .map(([name, { length }]) => `${length} ${name}`)
            .join(", "),
        ];
      }),
    ),
  };
}

/** One run that leaves after standing for 60,000 steps, judged at several horizons. */
function horizonTable(): string {
  const file = new URL("../bank/slow-leaver.jsonl.gz", import.meta.url);
  const rows = gunzipSync(readFileSync(file))
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as number[]);
  const histories = rows.map(
    ([
      step = NaN,
      loss = NaN,
      shiftedLoss = NaN,
      gradNorm = NaN,
      shiftedGradNorm = NaN,
      cosine = NaN,
    ]) => ({ step, loss, shiftedLoss, gradNorm, shiftedGradNorm, cosine }),
  );
  return markdown(
    ["step", "f(x)", "verdict of the screen", "change of the loss in as many steps again (95 %)"],
    [20_000, 40_000, 60_000, 80_000, 100_000].map((horizon) => {
      const seen = histories.filter(({ step }) => step <= horizon);
      const { name, numbers } = screened(seen).verdict();
      const percent = (value: number | undefined) => `${digits(100 * (value ?? NaN))} %`;
      return [
        horizon,
        (seen.at(-1)?.loss ?? NaN).toFixed(4),
        name,
        `${percent(numbers["drift"])} (${percent(numbers["driftLow"])} to ${percent(numbers["driftHigh"])})`,
      ];
    }),
  );
}

/** Runs over 100,000 steps: their losses on the way, and what the screen calls their ends. */
function longTable(runs: readonly StoredRun[]): string {
  const horizons = [20_000, 40_000, 60_000, 80_000, 100_000];
  return markdown(
    ["ρ", "seed", ...horizons.map((horizon) => `f(x) at ${horizon}`), "verdict of the screen"],
    runs
      .toSorted(
        (a, b) => Number(a.row.at["rho"]) - Number(b.row.at["rho"]) || seedOf(a) - seedOf(b),
      )
      .map(({ row, history }) => [
        Number(row.at["rho"]),
        Number(row.at["seed"]),
        ...horizons.map((horizon) =>
          (history.findLast(({ step }) => step <= horizon)?.loss ?? NaN).toFixed(3),
        ),
        row.verdict?.name ?? "–",
      ]),
  );
}

const range = (min: number | null, max: number | null) => `${digits(min)} … ${digits(max, 3)}`;
const place = ({ rho, seed }: StalledEnd) => [rho, seed];

function endsTable(ends: readonly StalledEnd[]): string {
  return markdown(
    [
      "ρ",
      "seed",
      "ρ/‖x‖",
      "f(x)",
      "f(x⁺)",
      "‖g‖",
      "GradRatio",
      "H",
      "H⁺",
      "verdict",
      "1,000 steps on: moved",
      "f",
    ],
    ends.map((end) => {
      const { certificate: c } = end;
      return [
        ...place(end),
        digits(c.subject?.relativeRho),
        c.loss.toFixed(4),
        c.shiftedLoss.toFixed(4),
        digits(c.gradNorm),
        digits(c.gradRatio),
        range(c.hessian.min, c.hessian.max),
        range(c.shiftedHessian.min, c.shiftedHessian.max),
        c.verdict.name,
        digits(c.drift?.moved),
        c.drift ? c.drift.lossAfter.toFixed(4) : "–",
      ];
    }),
  );
}

function answersTable(ends: readonly StalledEnd[]): string {
  const at = ["at x", "at x⁺", "near it"];
  return markdown(
    [
      "ρ",
      "seed",
      "f(x⁺)",
      "f near it",
      "‖∇f‖ there",
      "distance from x⁺",
      ...at.map((where) => `furthest guess ${where}`),
      ...at.map((where) => `covariance ${where}`),
    ],
    ends.map((end) => {
      const { steps } = end.nearAscentPoint;
      const [first, last] = [steps[0], steps.at(-1)];
      return [
        ...place(end),
        digits(first?.loss, 8),
        digits(last?.loss, 8),
        digits(last?.gradNorm),
        digits(last?.moved),
        ...end.predictions.map(({ fromFrequencies }) => digits(fromFrequencies)),
        ...end.predictions.map(({ labelCovariance }) => digits(labelCovariance)),
      ];
    }),
  );
}

function refiningTable(ends: readonly StalledEnd[]): string {
  return markdown(
    ["ρ", "seed", "GradRatio", "refined", "‖g⁺‖", "refined", "moved", "products"],
    ends.map((end) => {
      const { steps } = end.refinement;
      const [first, last] = [steps[0], steps.at(-1)];
      return [
        ...place(end),
        digits(first?.gradRatio),
        digits(last?.gradRatio),
        digits(first?.shiftedGradNorm),
        digits(last?.shiftedGradNorm),
        digits(last?.moved),
        digits(last?.products, 3),
      ];
    }),
  );
}

function zerosTable(ends: readonly StalledEnd[]): string {
  return markdown(
    [
      "ρ",
      "seed",
      "‖g⁺‖ reached",
      "rounding",
      "moved",
      "moved/ρ",
      "f(x)",
      "f(x⁺)",
      "‖g‖",
      "products",
      "verdict there",
      "Re spectrum of H⁺M",
      "attracting",
    ],
    ends.map((end) => {
      const { steps, certificate: c } = end.constantAnswer;
      const last = steps.at(-1);
      return [
        ...place(end),
        digits(last?.shiftedGradNorm),
        digits(c?.zero?.roundingLevel),
        digits(last?.moved),
        digits((last?.moved ?? NaN) / end.rho),
        last?.loss.toFixed(4) ?? "–",
        last?.shiftedLoss.toFixed(7) ?? "–",
        digits(last?.gradNorm),
        digits(last?.products, 3),
        c?.verdict.name ?? "–",
        c ? range(c.samJacobian.minReal, c.samJacobian.maxReal) : "–",
        c?.attracting.answer ?? "–",
      ];
    }),
  );
}

function continuedTable(ends: readonly ContinuedEnd[]): string {
  const line = (end: ContinuedEnd, way: string, stages: readonly Stage[]) => {
    const last = stages.at(-1);
    const lowest = stages.toSorted((a, b) => a.shiftedGradNorm - b.shiftedGradNorm)[0];
    return [
      end.rho,
      end.seed,
      way,
      `${digits(stages[0]?.value, 3)} … ${digits(last?.value, 3)}`,
      stages.filter(({ converged }) => converged).length,
      digits(end.shiftedGradNorm),
      digits(lowest?.shiftedGradNorm),
      digits(lowest?.value, 3),
      digits(lowest?.moved),
      digits(last?.shiftedGradNorm),
      stages.reduce((sum, { products }) => sum + products, 0),
    ];
  };
  return markdown(
    [
      "ρ",
      "seed",
      "continued in",
      "from … to",
      "zeros on the way",
      "‖g⁺‖ at the end of the run",
      "lowest ‖g⁺‖",
      "where",
      "moved there",
      "last ‖g⁺‖",
      "products",
    ],
    ends.flatMap((end) => [
      line(end, "penalty λ", end.penalty),
      line(end, "smaller ρ", end.smaller),
      line(end, "larger ρ", end.larger),
    ]),
  );
}
