/** Marks of basins: a color, a hatching and words for every end, and the maps that they paint. */
import { basinEnds, notYet, type BasinEnd } from "lucid-sam/diagnostics";
import type { BasinPicture } from "./basins.ts";
import type { Size } from "./painter.ts";
import type { Rgb } from "./ramps.ts";

/** Ends in words, with the color and the hatching that stand for them. */
export const basinMarks: {
  readonly [End in BasinEnd]: {
    readonly words: string;
    readonly color: Rgb;
    readonly hatch: "none" | "rising" | "falling" | "dots" | "checks";
  };
} = {
  minimizer: { words: "a minimizer", color: [86, 160, 211], hatch: "none" },
  critical: { words: "another critical point", color: [68, 170, 153], hatch: "falling" },
  hallucinated: { words: "a hallucinated point", color: [213, 94, 0], hatch: "rising" },
  unsettled: { words: "unsettled: the steps were spent", color: [150, 150, 150], hatch: "dots" },
  diverged: { words: "out of bounds", color: [70, 70, 76], hatch: "checks" },
};

/** Whether the hatching has ink at a pixel. */
function isInk(hatch: (typeof basinMarks)[BasinEnd]["hatch"], i: number, j: number) {
  switch (hatch) {
    case "none":
      return false;
    case "rising":
      return (i + j) % 9 === 0;
    case "falling":
      return (i - j + 9000) % 9 === 0;
    case "dots":
      return i % 6 === 0 && j % 6 === 0;
    case "checks":
      return Math.floor(i / 5) % 2 === Math.floor(j / 5) % 2;
    default:
      return hatch satisfies never;
  }
}

/** Paint a map of basins. */
export function paintBasins(picture: BasinPicture, { width, height }: Size): ImageBitmap {
  const { classes, columns, rows } = picture;
  // Hatching has the size of the screen's pixels, whatever that of the map's.
  const image = new ImageData(width, height);
  const styles = basinEnds.map((end) => basinMarks[end]);
  for (let j = 0; j < height; j++) {
    const row = Math.min(rows - 1, Math.floor(((height - 1 - j + 0.5) * rows) / height));
    for (let i = 0; i < width; i++) {
      const column = Math.min(columns - 1, Math.floor(((i + 0.5) * columns) / width));
      const style = styles[classes[row * columns + column] ?? notYet];
      const at = 4 * (j * width + i);
      if (style === undefined) continue;
      const shade = isInk(style.hatch, i, j) ? 0.72 : 1;
      for (let c = 0; c < 3; c++) image.data[at + c] = shade * (style.color[c] ?? 0);
      image.data[at + 3] = 255;
    }
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas.transferToImageBitmap();
}
