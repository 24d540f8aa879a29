/** Selections of cells, as text: `rho=2 verdict=minimizer loss<0.1 | cell=0123456789abcdef`. */
import { decoded, valueText } from "./words.ts";
import type { CellPlace, CellRow } from "./reader/protocol.ts";

/** A cell, and its row once there is one. */
export interface Entry extends CellPlace {
  readonly row: CellRow | undefined;
}

/** Columns of every study, beside its axes. */
export const rowColumns = [
  "verdict",
  "warned",
  "step",
  "loss",
  "shiftedLoss",
  "gradNorm",
  "gradRatio",
  "cosine",
  "train",
  "test",
  "relativeRho",
  "seconds",
] as const;

/** What a column says of an entry. */
export function columnOf({ id, at, row }: Entry, column: string): unknown {
  if (Object.hasOwn(at, column)) return at[column];
  if (column === "cell") return id;
  if (column === "verdict") return row ? (row.verdict ?? row.status) : "not yet";
  const found = row as { readonly [name: string]: unknown } | undefined;
  return found && Object.hasOwn(found, column) ? found[column] : undefined;
}

/** Spaces and bars part terms. */
const encoded = (text: string) =>
  text.replace(/[\s|%]/g, (character) => encodeURIComponent(character));

/** The term for the entries that have a value in a column. */
export const term = (column: string, value: unknown): string =>
  `${encoded(column)}=${encoded(valueText(value))}`;

type Test = (entry: Entry) => boolean;

/** Whether an entry is selected: it has all terms between two bars. Nothing selects nothing. */
export function selection(text: string): Test {
  const alternatives = text
    .split("|")
    .map((part) => part.trim().split(/\s+/).filter(Boolean).map(testOf))
    .filter(({ length }) => length > 0);
  return (entry) => alternatives.some((tests) => tests.every((test) => test(entry)));
}

function testOf(word: string): Test {
  const compared = /^([^<>=]+)(<=|>=|=|<|>)(.*)$/.exec(word);
  if (compared === null) {
    const wanted = decoded(word).toLowerCase();
    return (entry) => wordsOf(entry).includes(wanted);
  }
  const [, name = "", sign = "", given = ""] = compared;
  const [column, value] = [decoded(name), decoded(given)];
  if (sign === "=") {
    return (entry) => valueText(columnOf(entry, column)).toLowerCase() === value.toLowerCase();
  }
  const bound = Number(value);
  return (entry) => {
    const found = columnOf(entry, column);
    if (typeof found !== "number") return false;
    if (sign === "<") return found < bound;
    if (sign === ">") return found > bound;
    return sign === "<=" ? found <= bound : found >= bound;
  };
}

const wordsOf = (entry: Entry): string =>
  [
    ...Object.entries(entry.at).map(([axis, value]) => `${axis}=${valueText(value)}`),
    columnOf(entry, "verdict"),
    entry.row?.status ?? "",
    entry.id,
  ]
    .join(" ")
    .toLowerCase();

/** The selection with an alternative added, or without it where it was there. */
export function toggled(text: string, alternative: string): string {
  const parts = text
    .split("|")
    .map((part) => part.trim())
    .filter(Boolean);
  const rest = parts.filter((part) => part !== alternative);
  return (rest.length < parts.length ? rest : [...parts, alternative]).join(" | ");
}

/** Numbers by size, everything else as text, what is missing last. */
export function ordered(
  entries: readonly Entry[],
  column: string,
  descending: boolean,
): readonly Entry[] {
  if (column === "") return entries;
  const sign = descending ? -1 : 1;
  const keyed = entries.map((entry) => ({ entry, key: columnOf(entry, column) }));
  const isMissing = (key: unknown) => key === null || key === undefined || Number.isNaN(key);
  keyed.sort((a, b) => {
    const missing = Number(isMissing(a.key)) - Number(isMissing(b.key));
    if (missing !== 0 || isMissing(a.key)) return missing;
    if (typeof a.key === "number" && typeof b.key === "number") return sign * (a.key - b.key);
    return sign * collator.compare(valueText(a.key), valueText(b.key));
  });
  return keyed.map(({ entry }) => entry);
}

const collator = new Intl.Collator("en", { numeric: true });

/** Values on an axis, numbers in ascending order, others as they first occur. */
export function valuesOn(entries: readonly Entry[], axis: string): readonly unknown[] {
  const values = [...new Map(entries.map(({ at }) => [valueText(at[axis]), at[axis]])).values()];
  return values.every((value) => typeof value === "number")
    ? values.toSorted((a, b) => a - b)
    : values;
}
