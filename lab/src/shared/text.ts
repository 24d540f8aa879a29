/** Text in drawings: how wide it is, and as much of it as fits. */

/** Letters of drawings have 12 pixels; the page's unit makes them larger. */
const font = "12px system-ui, sans-serif";
let context: CanvasRenderingContext2D | null | undefined;

/** Pixels that a text takes. */
export function widthOf(text: string): number {
  context ??= document.createElement("canvas").getContext("2d");
  if (!context) return 7 * text.length;
  context.font = font;
  return context.measureText(text).width;
}

/** As much of a text as fits, with `…` where some is left out; one letter in any case. */
export function cutTo(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const letters = Array.from(text);
  if (letters.length < 2) return text;
  let [fits, tooMany] = [1, letters.length];
  while (tooMany - fits > 1) {
    const middle = (fits + tooMany) >> 1;
    if (widthOf(`${letters.slice(0, middle).join("")}…`) <= width) fits = middle;
    else tooMany = middle;
  }
  return `${letters.slice(0, fits).join("").trimEnd()}…`;
}
