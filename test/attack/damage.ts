/** Damage to files, by seed: bytes, lines and entries that are not what was written. */
import type { RandomStream } from "../../src/engine/random.ts";
import { formatChecked } from "../../src/run/checked.ts";

/** What a file is made of: decides how it can be damaged. */
export type Kind = "binary" | "text" | "json" | "lines";

export interface Damaged {
  /** What was done. */
  readonly how: string;
  readonly bytes: Uint8Array;
  /** With a checksum that fits the damage: somebody's work, not an accident. */
  readonly forged: boolean;
}

export const pick = <T>(random: RandomStream, items: readonly T[]): T =>
  items[random.integer(items.length)] as T;

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** Two places in order. */
function span(random: RandomStream, length: number, most = 64): [number, number] {
  const start = random.integer(length + 1);
  return [start, Math.min(length, start + 1 + random.integer(most))];
}

const junk = (random: RandomStream, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => random.integer(256));

/** Texts that files, paths, terminals and spreadsheets may take for more than texts. */
export const hostileTexts: readonly string[] = [
  "",
  " ",
  "../../victim",
  "/etc/passwd",
  "C:\\Windows\\x",
  "a\u0000b",
  "a#b?c%20d%",
  "=cmd|'/c calc'!A1",
  "+1+1",
  "@SUM(1)",
  "\u001B[2J\u001B]0;x\u0007",
  "\u202Egnp.exe",
  "\uD800",
  "__proto__",
  "constructor",
  "toString",
  "NaN",
  "Infinity",
  "1e999",
  "-0",
  "0x10",
  "١٢٣",
  "null",
  "{}",
  "[]",
  "power(1,2,3)",
  "cosine(",
  "x".repeat(10_000),
];

const hostileValues: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  0.5,
  1e308,
  -1e308,
  5e-324,
  2 ** 53,
  2 ** 64,
  [],
  {},
  [null],
  [[[[1]]]],
  { toString: 1 },
  { length: 1e9 },
  ...hostileTexts,
];

/** Lists in lists in lists. */
const deep = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;

type Damage = (bytes: Uint8Array, random: RandomStream) => Uint8Array;

const flipBits =
  (most: number): Damage =>
  (bytes, random) => {
    const damaged = bytes.slice();
    for (let i = random.integer(most); i >= 0; i--) {
      const bit = random.integer(8 * bytes.length);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    }
    return damaged;
  };

const byteDamages: { readonly [how: string]: Damage } = {
  "a bit flipped": flipBits(1),
  "another bit flipped": flipBits(1),
  "bits flipped": flipBits(16),
  "cut off": (bytes, random) => bytes.slice(0, random.integer(bytes.length)),
  "beginning lost": (bytes, random) => bytes.slice(1 + random.integer(bytes.length)),
  "a piece lost": (bytes, random) => {
    const [from, to] = span(random, bytes.length);
    return join(bytes.subarray(0, from), bytes.subarray(to));
  },
  "a piece twice": (bytes, random) => {
    const [from, to] = span(random, bytes.length);
    return join(bytes.subarray(0, to), bytes.subarray(from));
  },
  "all of it twice": (bytes) => join(bytes, bytes),
  "something put in": (bytes, random) => {
    const [at] = span(random, bytes.length);
    return join(bytes.subarray(0, at), junk(random, 1 + random.integer(40)), bytes.subarray(at));
  },
  "something at the end": (bytes, random) => join(bytes, junk(random, 1 + random.integer(40))),
  "pieces swapped": (bytes, random) => {
    const width = 1 + random.integer(16);
    const [a, b] = [random.integer(bytes.length), random.integer(bytes.length)];
    const damaged = bytes.slice();
    damaged.set(bytes.subarray(a, a + width).subarray(0, bytes.length - b), b);
    damaged.set(bytes.subarray(b, b + width).subarray(0, bytes.length - a), a);
    return damaged;
  },
  "a block of zeros": (bytes, random) => bytes.slice().fill(0, ...span(random, bytes.length, 512)),
  "a block of ones": (bytes, random) => bytes.slice().fill(255, ...span(random, bytes.length, 512)),
  "words that are no numbers": (bytes, random) => {
    const word = pick(random, [
      [0, 0, 0xc0, 0x7f],
      [0, 0, 0x80, 0x7f],
      [0, 0, 0, 0, 0, 0, 0xf8, 0x7f],
      [255, 255, 255, 255],
    ]);
    const damaged = bytes.slice();
    const at = 4 * random.integer(1 + Math.floor(Math.max(0, bytes.length - 8) / 4));
    if (at + word.length <= bytes.length) damaged.set(word, at);
    return damaged;
  },
  empty: () => new Uint8Array(),
  junk: (_, random) => junk(random, random.integer(200)),
  "in UTF-16": (bytes) => new Uint8Array(Buffer.from(`\uFEFF${decode(bytes)}`, "utf16le")),
  "with a mark of byte order": (bytes) => join(Uint8Array.of(0xef, 0xbb, 0xbf), bytes),
};

const textDamages: { readonly [how: string]: Damage } = {
  "a hostile text put in": (bytes, random) => {
    const [at] = span(random, bytes.length);
    return join(bytes.subarray(0, at), encode(pick(random, hostileTexts)), bytes.subarray(at));
  },
  "a number made huge": (bytes, random) => replaceNumber(bytes, random, "1e400"),
  "a number made another": (bytes, random) => replaceNumber(bytes, random, String(random.normal())),
  "Windows line ends": (bytes) => encode(decode(bytes).replaceAll("\n", "\r\n")),
  "lists in lists": () => encode(`${deep(100_000)}\n`),
  "not JSON": (_, random) => encode(pick(random, ["{]\n", "{", "nul", "1 2", "'a'", "{}{}"])),
  "JSON of something else": (_, random) =>
    encode(`${JSON.stringify(pick(random, hostileValues))}\n`),
};

function replaceNumber(bytes: Uint8Array, random: RandomStream, by: string): Uint8Array {
  const text = decode(bytes);
  const found = [...text.matchAll(/-?\d+(\.\d+)?(e[+-]?\d+)?/g)];
  if (found.length === 0) return bytes.slice(1);
  const { 0: number, index } = pick(random, found);
  return encode(text.slice(0, index) + by + text.slice(index + number.length));
}

/** One entry, somewhere in a value, becomes something else. */
function damageEntry(value: unknown, random: RandomStream): unknown {
  if (typeof value !== "object" || value === null) return pick(random, hostileValues);
  const keys = Object.keys(value);
  const key = keys.length === 0 ? undefined : pick(random, keys);
  if (key === undefined) return pick(random, hostileValues);
  // Deep entries as often as shallow ones.
  if (random.uniform() < 0.6) {
    const inner = damageEntry((value as { readonly [key: string]: unknown })[key], random);
    return Array.isArray(value)
      ? value.with(Number(key), inner)
      : Object.fromEntries(Object.entries(value).map((e) => (e[0] === key ? [key, inner] : e)));
  }
  const other = pick(random, keys);
  const entries = Object.entries(value);
  const changed = pick(random, [
    () => entries.filter(([name]) => name !== key),
    () => entries.map(([name, v]) => [name === key ? pick(random, hostileTexts) : name, v]),
    () => [...entries, [pick(random, hostileTexts), pick(random, hostileValues)]],
    () =>
      entries.map(([name, v]) => {
        const from = name === key ? other : name === other ? key : undefined;
        return [name, from === undefined ? v : (value as { [key: string]: unknown })[from]];
      }),
    () => entries.map(([name, v]) => [name, name === key ? pick(random, hostileValues) : v]),
  ])() as [string, unknown][];
  return Array.isArray(value) ? changed.map(([, v]) => v) : Object.fromEntries(changed);
}

/** JSON with one entry damaged, with its checksum as it was, or one that fits. */
function damageJson(text: string, random: RandomStream): { text: string; forged: boolean } {
  const value = JSON.parse(text) as unknown;
  const damaged = damageEntry(value, random);
  const isObject = typeof damaged === "object" && damaged !== null && !Array.isArray(damaged);
  if (isObject && random.uniform() < 0.7) {
    const { check: _, ...rest } = damaged as { check?: unknown };
    if (Object.keys(rest).length > 0) return { text: formatChecked(rest), forged: true };
  }
  return { text: JSON.stringify(damaged), forged: false };
}

/** Damage a file, each time in another way. */
export function damage(kind: Kind, bytes: Uint8Array, random: RandomStream): Damaged {
  const text = kind !== "binary";
  if (text && kind !== "text" && random.uniform() < 0.5) {
    if (kind === "json") {
      const { text, forged } = damageJson(decode(bytes), random);
      return { how: "an entry damaged", bytes: encode(`${text}\n`), forged };
    }
    const lines = decode(bytes).trimEnd().split("\n");
    const at = random.integer(lines.length);
    const other = random.integer(lines.length);
    const line = lines[at] ?? "";
    const choice = random.integer(6);
    const end = (all: readonly string[]) => encode(`${all.join("\n")}\n`);
    if (choice === 0) {
      return { how: "a line lost", bytes: end(lines.toSpliced(at, 1)), forged: false };
    }
    if (choice === 1) {
      return { how: "a line twice", bytes: end(lines.toSpliced(other, 0, line)), forged: false };
    }
    if (choice === 2) {
      const swapped = lines.with(at, lines[other] ?? "").with(other, line);
      return { how: "lines swapped", bytes: end(swapped), forged: false };
    }
    const { text, forged } = damageJson(line, random);
    return { how: "an entry damaged", bytes: end(lines.with(at, text)), forged };
  }
  const damages = text ? { ...byteDamages, ...textDamages } : byteDamages;
  const [how, apply] = pick(random, Object.entries(damages));
  return { how, bytes: apply(bytes, random), forged: false };
}
