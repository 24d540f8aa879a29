/** Tables on the terminal: columns of text, aligned and fitted to its width. */
import { printable } from "../../engine/errors.ts";

/** Rows with every column but the last padded to its widest entry, one line each. */
export function table(given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  }
  return rows
    .map((row) => {
      const cells = row.map((cell, i) =>
        i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0),
      );
      return `${cells.join("  ")}\n`;
    })
    .join("");
}

/** A {@link table} that fits a width, or else one paragraph per row: its first column, the others below. */
export function fitted(
  rows: readonly (readonly string[])[],
  columns: number | undefined = Infinity,
): string {
  const wide = table(rows);
  if (wide.split("\n").every((line) => line.length <= columns)) return wide;
  return rows
    .map(([head = "", ...rest]) => {
      const below = rest.flatMap((cell) => wrapText(printable(cell), columns - 2));
      return [printable(head), ...below.map((line) => `  ${line}`)].join("\n").concat("\n");
    })
    .join("");
}

/** Lines of at most `width` characters, broken at spaces where there are any. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    const end = space > 0 ? space : Math.max(1, width);
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...lines, rest];
}
