/** The registry of data sets: every one by name. */
import { unknownName } from "../../engine/errors.ts";
import { cifar100Entry, cifar10Entry } from "./cifar.ts";
import { digitsEntry } from "./digits.ts";
import type { DatasetEntry } from "./entry.ts";
import { blockModelEntry, citationsEntry, karateEntry } from "./graphs.ts";
import { mnistEntry } from "./mnist.ts";
import { modularEntry } from "./modular.ts";
import { textEntry } from "./text.ts";

const listed = [
  digitsEntry,
  mnistEntry,
  cifar10Entry,
  cifar100Entry,
  modularEntry,
  textEntry,
  karateEntry,
  blockModelEntry,
  citationsEntry,
] as const;

/** All data sets; of each kind the first is the one a run learns by default. */
export const datasets: readonly DatasetEntry[] = listed;

/** Name of an option of some data set. */
export type DatasetOption = (typeof listed)[number]["options"] extends infer Options
  ? Options extends { readonly shape: infer Shape }
    ? keyof Shape & string
    : never
  : never;

/** @throws {InputError} `unknown data "mnsit" (did you mean "mnist"?)` */
export function findDataset(name: string, among: readonly DatasetEntry[] = datasets): DatasetEntry {
  const found = among.find((dataset) => dataset.name === name);
  if (found) return found;
  throw unknownName(
    "data",
    name,
    among.map((dataset) => dataset.name),
  );
}
