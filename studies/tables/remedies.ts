/** The tables of docs/remedies.md. */
import { readSharpness, type Sharpness } from "../sharpness-rows.ts";
import remedies from "../remedies.ts";
import beside from "../beside-remedies.ts";
import settings from "../settings-of-remedies.ts";
import {
  accuracyOf,
  difference,
  lossOf,
  markdown,
  paired,
  results,
  runsOf,
  seedOf,
  share,
  showLoss,
  showPercent,
  showPoints,
  spread,
  type StoredRun,
} from "./table.ts";

/** The rule and the guard were tuned on it: it is in no table. */
export const tuningSeed = 0;

/** A run stands at the loss of guessing when it ends less than a tenth below ln 10. */
export const standsAtGuessing = (run: StoredRun): boolean => lossOf(run) > 0.9 * Math.log(10);

/** Trainings of figure 5 that are remedies too, on more seeds. */
const inFigure5: { readonly [remedy: string]: string | undefined } = {
  "none (SAM)": "sam",
  "switch at 10 %": "switch",
};

const head = [
  "final train loss",
  "at the loss of guessing",
  "test accuracy, %",
  "− plain descent, points",
  "− SAM at ρ = 0.1, points",
  "gradients",
  "seeds",
];

/** Every table of the page. */
export async function remedyTables(): Promise<{ [name: string]: string }> {
  const untuned = (runs: readonly StoredRun[]) => runs.filter((run) => seedOf(run) !== tuningSeed);
  const [descent, besides, inSettings, runs, figure5] = await Promise.all([
    runsOf("plain-descent"),
    runsOf("beside-remedies").then(untuned),
    runsOf("settings-of-remedies").then(untuned),
    runsOf("remedies").then(untuned),
    runsOf("figure-5-quick").then(untuned),
  ]);
  /** Runs of a remedy at a radius, with those of figure 5 where it has the same training. */
  const runsWith = (remedy: string, rho: number) => {
    const own = runs.filter(({ row }) => row.at["rho"] === rho && row.at["remedy"] === remedy);
    const same = figure5.filter(
      ({ row }) => row.at["rho"] === rho && row.at["training"] === inFigure5[remedy],
    );
    const known = new Set(own.map(({ row }) => row.cell));
    return [...own, ...same.filter(({ row }) => !known.has(row.cell))];
  };
  const labeled = (label: string) => besides.filter(({ row }) => row.at["training"] === label);
  const small = labeled("SAM, ρ = 0.1");
  const cells = (some: readonly StoredRun[]) => [
    spread(some.map(lossOf), showLoss),
    share(some.filter(standsAtGuessing).length, some.length),
    spread(some.map(accuracyOf), showPercent),
    difference(paired(some, descent, accuracyOf), showPoints),
    difference(paired(some, small, accuracyOf), showPoints),
    spread(
      some.map(({ row }) => row.evaluations ?? NaN),
      (count) => `${(count / 1000).toFixed(1)}k`,
    ),
    some.length,
  ];
  const line = (name: string, some: readonly StoredRun[]) => [name, ...cells(some)];
  const others = Object.keys(beside.axes.training);
  const isSmall = (label: string) => label.startsWith("SAM, ρ = ");

  const sharpness = new Map(readSharpness(results("sharpness.jsonl.gz")).map((s) => [s.cell, s]));
  const measured = (some: readonly StoredRun[]) =>
    some.flatMap(({ row }) => sharpness.get(row.cell) ?? []);
  const sharp = (name: string, some: readonly StoredRun[]) => {
    const differences = (quantity: (s: Sharpness) => number) =>
      paired(some, descent, ({ row }) => {
        const found = sharpness.get(row.cell);
        return found ? quantity(found) : NaN;
      }).filter((value) => !Number.isNaN(value));
    const largest = (s: Sharpness) => s.largestEigenvalue;
    const rise = (s: Sharpness) => 1000 * s.rise;
    return [
      name,
      spread(measured(some).map(largest), (value) => value.toPrecision(2)),
      difference(differences(largest), (value) => value.toPrecision(2)),
      spread(measured(some).map(rise), (value) => value.toPrecision(2)),
      difference(differences(rise), (value) => value.toPrecision(2)),
      spread(some.map(lossOf), showLoss),
      spread(
        measured(some).map((s) => s.largestEigenvalue / s.loss),
        (value) => value.toFixed(0),
      ),
      spread(
        measured(some).map((s) => s.rise / s.loss),
        (value) => value.toFixed(3),
      ),
      measured(some).length,
    ];
  };
  const perRadius = remedies.axes.rho.map((rho): [string, string] => [
    `rho-${rho}`,
    markdown(
      ["remedy", ...head],
      Object.keys(remedies.axes.remedy).map((remedy) => line(remedy, runsWith(remedy, rho))),
    ),
  ]);
  return {
    "small-radii": markdown(
      ["training", ...head],
      [
        line("plain descent", descent),
        ...others.filter(isSmall).map((label) => line(label, labeled(label))),
      ],
    ),
    ...Object.fromEntries(perRadius),
    settings: markdown(
      ["remedy", ...head],
      Object.keys(settings.axes.training).flatMap((label) => {
        const some = inSettings.filter(({ row }) => row.at["training"] === label);
        return some.length === 0 ? [] : [line(label, some)];
      }),
    ),
    sharpness: markdown(
      [
        "training",
        "λ_max of H",
        "− plain descent",
        "1000 (f(x⁺) − f(x)), ρ = 0.1",
        "− plain descent",
        "final train loss f",
        "λ_max/f",
        "(f(x⁺) − f)/f",
        "seeds",
      ],
      [sharp("plain descent", descent), ...others.map((label) => sharp(label, labeled(label)))],
    ),
  };
}
