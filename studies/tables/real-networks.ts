/** The tables of docs/real-networks.md. */
import { readFileSync } from "node:fs";
import { studentMean } from "../intervals.ts";
import { accuracyOf, digits, lossOf, markdown, median, runsOf } from "./table.ts";

/** An epoch of a run of studies/cifar, ours or PyTorch's. */
export interface Epoch {
  readonly framework: "lucid-sam" | "PyTorch";
  readonly method: "gd" | "sam";
  readonly seed: number;
  readonly epoch: number;
  /** Mean over the epoch's batches, as they were augmented. */
  readonly trainLoss: number;
  readonly testLoss: number;
  /** A share of 1. */
  readonly testAccuracy: number;
}

/** The epochs of all runs. */
export const readEpochs = (): Epoch[] =>
  readFileSync(new URL("../cifar/rows.jsonl", import.meta.url), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Epoch);

/** Every table of the page. */
export async function realNetworkTables(): Promise<{ [name: string]: string }> {
  const epochs = readEpochs();
  return {
    networks: await networks(),
    "cifar-losses": perEpoch(epochs, ({ trainLoss }) => trainLoss, 3),
    "cifar-accuracies": perEpoch(epochs, ({ testAccuracy }) => 100 * testAccuracy, 1),
  };
}

async function networks(): Promise<string> {
  const cells = Map.groupBy(await runsOf("real-networks"), ({ row: { at } }) =>
    [at["network"], at["training"]].map(String).join("|"),
  );
  return markdown(
    [
      "network",
      "training",
      "final loss: median (range)",
      "train, test accuracy",
      "verdicts of the screen",
    ],
    Array.from(cells, ([names, runs]) => {
      const losses = runs.map(lossOf);
      const [low, high] = [Math.min(...losses), Math.max(...losses)];
      const trained = runs.map(({ row }) => 100 * (row.final?.trainAccuracy ?? NaN));
      const verdicts = Map.groupBy(runs, ({ row }) => row.verdict?.name);
      return [
        ...names.split("|"),
        `${digits(median(losses), 3)} (${digits(low, 3)} to ${digits(high, 3)})`,
        `${median(trained).toFixed(1)}, ${median(runs.map(accuracyOf)).toFixed(1)} %`,
        Array.from(verdicts, ([name, those]) => `${those.length} ${name}`).join(", "),
      ];
    }),
  );
}

/** Means over the seeds with Student's intervals, epoch by epoch, ours and PyTorch's side by side. */
function perEpoch(
  epochs: readonly Epoch[],
  value: (epoch: Epoch) => number,
  places: number,
): string {
  const columns = (["gd", "sam"] as const).flatMap((method) =>
    (["lucid-sam", "PyTorch"] as const).map((framework) => ({ method, framework })),
  );
  const numbers = [...new Set(epochs.map(({ epoch }) => epoch))].sort((a, b) => a - b);
  return markdown(
    [
      "epoch",
      ...columns.map(
        ({ method, framework }) =>
          `${method === "gd" ? "descent" : "SAM"}, ${framework === "PyTorch" ? framework : "here"}`,
      ),
    ],
    numbers.map((number) => [
      number,
      ...columns.map(({ method, framework }) => {
        const { mean, low, high } = studentMean(
          epochs
            .filter((e) => e.epoch === number && e.method === method && e.framework === framework)
            .map(value),
        );
        return `${mean.toFixed(places)} (${low.toFixed(places)} to ${high.toFixed(places)})`;
      }),
    ]),
  );
}
