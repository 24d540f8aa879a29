/** Contact sheets: images of a data set, as a person sees them. */
import { InputError } from "../engine/errors.ts";
import type { LabeledImages } from "../problems/datasets/images.ts";
import { element, sheet, titleHeight, type Figure } from "./figure.ts";

/** Which images to show. */
export interface ContactSheetOptions {
  readonly title: string;
  /** Images per row, default 20. */
  readonly columns?: number;
  /** Default 5. */
  readonly rows?: number;
}

/** Pixels a side of an image, and between two. */
const [side, gap] = [38, 4];
/** Shades of gray told apart. */
const shades = 8;

/**
 * The first images of a data set side by side, dark ink on light paper.
 *
 * @throws {InputError} when the images are in color.
 */
export function contactSheet(
  images: LabeledImages,
  { title, columns = 20, rows = 5 }: ContactSheetOptions,
): Figure {
  const { width, channels = 1 } = images;
  if (channels !== 1) throw new InputError(`invalid images: ${channels} channels (give gray ones)`);
  const [across, down] = [columns, rows].map((count) => count * (side + gap) + 20 - gap);
  const scale = side / width;
  return sheet({
    width: across as number,
    height: titleHeight + (down as number) - 8,
    title,
    panels: [
      {
        x: 10,
        y: titleHeight,
        drawing(document) {
          const group = element(document, "g", {
            transform: `scale(${Number(scale.toFixed(4))})`,
            "shape-rendering": "crispEdges",
          });
          // Paper of its own: a negative is hard to read.
          group.append(
            element(document, "rect", {
              width: (across as number) / scale,
              height: (down as number) / scale,
              fill: "white",
            }),
          );
          inkPaths(images, columns, rows, (side + gap) / scale).forEach((d, shade) => {
            if (d === "") return;
            const gray = Math.round(255 * (1 - (shade + 1) / shades));
            group.append(element(document, "path", { d, fill: `rgb(${gray},${gray},${gray})` }));
          });
          return group;
        },
      },
    ],
  });
}

/** One path per shade, of runs of equal pixels: a tenth of the size of one square per pixel. */
function inkPaths(
  { pixels, count, width, height }: LabeledImages,
  columns: number,
  rows: number,
  pitch: number,
): string[] {
  const paths = Array.from({ length: shades }, () => "");
  const shadeAt = (pixel: number) => Math.round((shades * (pixels[pixel] as number)) / 255) - 1;
  for (let image = 0; image < Math.min(count, columns * rows); image++) {
    const left = Math.round((image % columns) * pitch * 100) / 100;
    const top = Math.round(Math.floor(image / columns) * pitch * 100) / 100;
    for (let y = 0; y < height; y++) {
      const line = (image * height + y) * width;
      for (let x = 0; x < width;) {
        const shade = shadeAt(line + x);
        let end = x + 1;
        while (end < width && shadeAt(line + end) === shade) end++;
        if (shade >= 0) {
          const [x0, y0] = [left + x, top + y].map((value) => Number(value.toFixed(2)));
          paths[shade] += `M${x0} ${y0}h${end - x}v1h${x - end}z`;
        }
        x = end;
      }
    }
  }
  return paths;
}
