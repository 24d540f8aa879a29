/** Text: the characters of a file of one's own, in sequences of equal length. */
import { z } from "zod";
import { InputError } from "../../engine/errors.ts";
import { tensor } from "../../engine/tensor.ts";
import { number, optional, shownAs } from "../../settings/fields.ts";
import { datasetEntry } from "./entry.ts";
import type { TokenSamples, TokenSplit } from "./tokens.ts";

/** How a text becomes sequences. */
export interface TextOptions {
  /** Characters per sequence; default 64. */
  readonly context?: number | undefined;
  /** Learn from the first so many sequences; default: nine tenths of all. */
  readonly n?: number | undefined;
}

/**
 * The text's sequences of `context` characters one after the other, each with the characters that
 * follow its places. The last tenth of them, at least one, is the test. The vocabulary is all
 * characters (Unicode code points) of the text in order of their code.
 *
 * @param name what errors call the text.
 * @throws {InputError} when the text is shorter than two sequences, or has fewer than `n` to learn from.
 */
export function textSamples(
  text: string,
  { context = 64, n }: TextOptions = {},
  name = "text",
): TokenSamples {
  const characters = Array.from(text);
  const alphabet = [...new Set(characters)].sort(
    (a, b) => (a.codePointAt(0) ?? 0) - (b.codePointAt(0) ?? 0),
  );
  const numbers = new Map(alphabet.map((character, i) => [character, i]));
  const tokens = characters.map((character) => numbers.get(character) as number);
  const all = Math.floor((tokens.length - 1) / context);
  if (all < 2) {
    throw new InputError(
      `invalid ${name}: ${characters.length} characters (give ${2 * context + 1} or more, two sequences of ${context}; or another context)`,
    );
  }
  const test = Math.max(1, Math.floor(all / 10));
  const train = n ?? all - test;
  if (!(Number.isInteger(train) && train >= 1 && train <= all - test)) {
    throw new InputError(`invalid n: ${n} sequences of ${name} (give 1 to ${all - test})`);
  }
  const split = (first: number, count: number): TokenSplit => {
    const part = (shift: number) =>
      tensor(
        tokens.slice(first * context + shift, (first + count) * context + shift),
        [count, context],
        "int32",
      );
    return { size: count, batch: { x: part(0), y: part(1) } };
  };
  return {
    kind: "tokens",
    train: split(0, train),
    test: split(all - test, test),
    vocabulary: alphabet.length,
  };
}

/** `text` as a run asks for it. */
export const textEntry = datasetEntry({
  name: "text",
  title: "The characters of a file of your own, --file book.txt.",
  kind: "tokens",
  options: z.object({
    file: shownAs(
      "FILE",
      z.string({ error: "give a path" }).optional().describe("file with the data"),
    ),
    context: number(64, "characters per sequence", { min: 1, integer: true }),
    n: optional(
      number(500, "learn from the first so many sequences; default: nine tenths of all", {
        min: 1,
        integer: true,
      }),
    ),
  }),
  pixels: ({ context }) => context,
  // Of Latin texts; a text in Chinese has more.
  classes: () => 128,
  count: ({ n }) => n ?? 0,
  files: {},
  mirrors: [],
  paths({ file }) {
    if (file === undefined)
      throw new InputError("missing file: give a text to learn, --file book.txt");
    return { text: file };
  },
  read: (_, { options, own }) =>
    textSamples(new TextDecoder().decode(own?.["text"]), options, options.file),
});
