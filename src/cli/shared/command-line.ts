/** Command lines that are printed to be copied. */

/** What no shell reads as anything but itself. */
const plain = /^[\w@%+=:,./-]+$/;

/**
 * A command of ours for a shell. `npx` finds it in a clone and where the package is installed.
 *
 * @example
 * commandLine("train", "--resume", "my run"); // npx lucid train --resume 'my run'
 */
export const commandLine = (...words: readonly string[]): string =>
  ["npx lucid", ...words.map(quoted)].join(" ");

const quoted = (word: string): string =>
  plain.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
