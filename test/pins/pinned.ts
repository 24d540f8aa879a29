/** What must not change: outputs of a released version, stored beside these tests input by input. */
import { createHash } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";

interface Pin<Input> {
  readonly input: Input;
  readonly output: unknown;
}

export interface Likeness {
  /** Numbers may differ by this fraction … */
  readonly relative?: number;
  /** … and by as much at least; default: not at all. */
  readonly absolute?: number;
  /** Objects may have more entries than were pinned. */
  readonly more?: boolean;
}

/**
 * One test per line of NAME.jsonl: its input must still give its output. A difference leaves
 * NAME-changed.jsonl beside NAME.jsonl: look at both, then keep the right one. A line whose output
 * is `null` is a pin to be.
 */
export function pinned<Input>(
  name: string,
  now: (input: Input) => unknown,
  likeness: (input: Input) => Likeness = () => ({}),
): void {
  const place = (suffix: string) => new URL(`${name}${suffix}.jsonl`, import.meta.url);
  const lines = readFileSync(place(""), "utf8").trimEnd().split("\n");
  const pins = lines.map((line) => JSON.parse(line) as Pin<Input>);
  const found = [...pins];
  let changed = false;
  test.each(pins.map((pin, i) => [titleOf(pin.input), pin, i] as const))(
    `${name}: %s`,
    async (_, { input, output }, i) => {
      // As it would be stored.
      const made = JSON.parse(JSON.stringify(await now(input))) as unknown;
      const different = differences(made, output, likeness(input));
      if (different.length > 0) {
        found[i] = { input, output: made };
        changed = true;
      }
      expect(different).toEqual([]);
    },
  );
  afterAll(() => {
    const text = found.map((pin) => `${JSON.stringify(pin, sorted)}\n`).join("");
    if (changed) writeFileSync(place("-changed"), text);
    else rmSync(place("-changed"), { force: true });
  });
}

const titleOf = (input: unknown) => (typeof input === "string" ? input : JSON.stringify(input));

/** Where values differ, a line each. */
function differences(made: unknown, wanted: unknown, likeness: Likeness, path = ""): string[] {
  const { relative = 0, absolute = 0, more = false } = likeness;
  if (isObject(made) && isObject(wanted) && Array.isArray(made) === Array.isArray(wanted)) {
    const keys = new Set([...Object.keys(wanted), ...Object.keys(made)]);
    return [...keys].flatMap((key) =>
      more && !Array.isArray(wanted) && !Object.hasOwn(wanted, key)
        ? []
        : differences(made[key], wanted[key], likeness, `${path}/${key}`),
    );
  }
  const near =
    typeof made === "number" &&
    typeof wanted === "number" &&
    Math.abs(made - wanted) <= Math.max(absolute, relative * Math.abs(wanted));
  if (made === wanted || near) return [];
  return [`${path}: ${JSON.stringify(made)} instead of ${JSON.stringify(wanted)}`];
}

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null;

const sorted = (_: string, value: unknown) =>
  isObject(value) && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

/** Likeness of numbers computed in one precision on two processors, which round differently. */
export const rounded = {
  float32: { relative: 1e-5, absolute: 1e-5 },
  float64: { relative: 1e-9, absolute: 1e-12 },
} as const;

/** A text with 0 for numbers that are not 0 only because of rounding. */
export const withoutTiny = (text: string): string => text.replaceAll(/-?\d(\.\d+)?e-[1-9]\d/g, "0");

/** SHA-256 in hexadecimal. */
export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
