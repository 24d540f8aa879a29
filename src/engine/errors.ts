/** Errors meant for people: one line that says what is wrong, with which value, and what to do. */

/**
 * What was given is wrong: a flag, a file, a value. The message begins with `missing`, `invalid`
 * or `unknown`. The command line exits with 2.
 */
export class InputError extends Error {
  override readonly name = "InputError";

  /** @param message texts of others in it become printable: they may hold line breaks, and more. */
  constructor(message: string, options?: ErrorOptions) {
    super(printable(message), options);
  }
}

/**
 * What was given is fine, but this machine cannot do it: a full disk, no network. Messages read
 * like those of {@link InputError}. The command line exits with 1.
 */
export class MachineError extends Error {
  override readonly name = "MachineError";

  constructor(message: string, options?: ErrorOptions) {
    super(printable(message), options);
  }
}

/** Characters of a value that a message repeats. */
const longestExcerpt = 80;

/** What a message shows of a value: its beginning, control characters as `\\u001b`. */
export function excerpt(text: string): string {
  const shown = text.length > longestExcerpt ? `${text.slice(0, longestExcerpt - 1)}…` : text;
  return printable(shown);
}

/**
 * What a message shows of any value: texts and numbers as they are, objects as JSON, lists by their
 * entries.
 */
export const show = (value: unknown): string => showInside(value, 0);

/** Lists in lists that a message shows. */
const deepest = 8;

function showInside(value: unknown, depth: number): string {
  if (Array.isArray(value)) {
    if (depth === deepest) return "…";
    const shown = value.slice(0, longestExcerpt).map((entry) => showInside(entry, depth + 1));
    return excerpt(shown.join(","));
  }
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return excerpt(String(value));
  try {
    // Not String(): it calls what an object brings along.
    return excerpt(JSON.stringify(value) ?? "");
  } catch {
    // A circle, a bigint inside, or deeper than the stack.
    return "an object";
  }
}

/** Text that cannot move the cursor, recolor or rewrite what a terminal shows. */
export const printable = (text: string): string =>
  text.replace(
    // Control characters, line separators, and marks that turn the direction of writing.
    // oxlint-disable-next-line no-control-regex
    /[\u0000-\u001F\u007F-\u009F\u2028\u2029\u202A-\u202E\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** The candidate that `name` is probably a misspelling of; `undefined` when none is close. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  // No candidate is so long, and the work grows with the length.
  if (name.length > longestExcerpt) return undefined;
  const given = name.toLowerCase();
  let best: string | undefined;
  // A third of the letters may be wrong: "samm" means "sam", "xyz" means nothing.
  let least = Math.max(1, Math.floor(given.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(given, candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/**
 * The error for a name that is not in a list: `unknown method "samm" (did you mean "sam"?)`.
 *
 * @param aliases what else may have been meant, too many to list.
 */
export function unknownName(
  what: string,
  name: string,
  candidates: Iterable<string>,
  aliases: Iterable<string> = [],
): InputError {
  const known = [...candidates];
  const guess = nearest(name, [...known, ...aliases]);
  const remedy =
    guess === undefined ? `choose from ${known.join(", ")}` : `did you mean "${guess}"?`;
  return new InputError(`unknown ${what} "${excerpt(name)}" (${remedy})`);
}

/** The first line of what went wrong, whatever was thrown. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? (error.message.split("\n", 1)[0] ?? "") : show(error);
}

/**
 * Refuse names that are not in a list.
 *
 * @param what what a name is of: `unknown option "batchsize" (did you mean "batchSize"?)`
 * @throws {InputError} for the first that is not, and for what has no names.
 */
export function checkNames(what: string, given: unknown, known: readonly string[]): void {
  if (typeof given !== "object" || given === null) {
    throw new InputError(`invalid ${what}s: ${show(given)} (give ${known.join(", ")} by name)`);
  }
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) throw unknownName(what, unknown, known);
}

/**
 * Insertions, deletions, replacements and swaps of neighbors that turn `a` into `b` (Levenshtein
 * 1966, with swaps as in Damerau 1964).
 */
function editDistance(a: string, b: string): number {
  let before: readonly number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(
        Math.min(
          replaced,
          (row[j] ?? 0) + 1,
          (next[j - 1] ?? 0) + 1,
          swapped ? (before[j - 2] ?? 0) + 1 : Infinity,
        ),
      );
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
