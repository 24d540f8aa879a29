/** The registry of data sets: every one by name. */
import { unknownName } from "../../engine/errors.ts";
import { digitsEntry } from "./digits.ts";
import type { DatasetEntry } from "./entry.ts";
import { mnistEntry } from "./mnist.ts";

const listed = [digitsEntry, mnistEntry] as const;

/** All data sets, those without files first. */
export const datasets: readonly DatasetEntry[] = listed;

/** Name of an option of some data set. */
export type DatasetOption = (typeof listed)[number]["options"] extends infer Options
  ? Options extends { readonly shape: infer Shape }
    ? keyof Shape & string
    : never
  : never;

/** @throws {InputError} `unknown data "mnsit" (did you mean "mnist"?)` */
export function findDataset(name: string): DatasetEntry {
  const found = datasets.find((dataset) => dataset.name === name);
  if (found) return found;
  throw unknownName(
    "data",
    name,
    datasets.map((dataset) => dataset.name),
  );
}
