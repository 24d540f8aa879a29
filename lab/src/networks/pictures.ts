/** Pictures of weights: images for what reads images, bars for vectors, matrices for the rest. */
import type { Tensor } from "lucid-sam/engine";
import type { Model } from "lucid-sam/problems";
import type { Theme } from "../shared/theme.svelte.ts";

/** Weights as rows of equal length, drawn cell by cell. */
export interface Picture {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: "images" | "bars" | "matrix";
  readonly values: ArrayLike<number>;
  /** Of one image; of a matrix, its rows and columns. */
  readonly height: number;
  readonly width: number;
  readonly count: number;
  /** Largest absolute weight. */
  readonly most: number;
  readonly norm: number;
}

/** Images and cells that are drawn at most. */
const mostImages = 64;
const mostCells = 40_000;

/** Pictures of a model's parameters, as their tree has them; `side` is that of its images. */
export function picturesOf(params: Model["params"], side: number | undefined): Picture[] {
  return Array.from(leaves(params, ""), ({ name, leaf: { data, shape } }): Picture => {
    const numbers = data as ArrayLike<number>;
    const { most, norm } = sizesOf(numbers);
    const common = { name, shape, values: numbers, most, norm };
    const [rows = 1, ...rest] = shape;
    const columns = rest.reduce((product, size) => product * size, 1);
    if (shape.length === 2 && side !== undefined && columns === side * side) {
      const count = Math.min(rows, mostImages);
      return { ...common, kind: "images", height: side, width: side, count };
    }
    if (columns === 1) return { ...common, kind: "bars", height: 1, width: rows, count: 1 };
    const height = Math.min(rows, Math.max(1, Math.floor(mostCells / columns)));
    return { ...common, kind: "matrix", height, width: columns, count: 1 };
  });
}

function* leaves(tree: Model["params"], path: string): Iterable<{ name: string; leaf: Tensor }> {
  if (isTensor(tree)) {
    yield { name: path, leaf: tree };
    return;
  }
  for (const [key, part] of Object.entries(tree as object)) {
    yield* leaves(part as Model["params"], path === "" ? key : `${path}/${key}`);
  }
}

const isTensor = (tree: Model["params"]): tree is Tensor => "data" in tree && "shape" in tree;

function sizesOf(values: ArrayLike<number>): { most: number; norm: number } {
  let [most, sum] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = Math.abs(values[i] as number);
    // Also where it is no number.
    if (!(value <= most)) most = value;
    sum += value * value;
  }
  return { most, norm: Math.sqrt(sum) };
}

const sizeWords = (most: number) =>
  Number.isFinite(most) ? `up to ±${most.toPrecision(2)}` : "not finite";

/** What stands below it: `w [2], up to ±0.37`. */
export const captionOf = ({ name, shape, most }: Picture): string =>
  `${name} [${shape.join(" × ")}], ${sizeWords(most)}`;

/** In words, for those who do not see it. */
export function describePicture({ name, shape, kind, count, most, norm }: Picture): string {
  const what = {
    images: `${count} of ${shape[0]} units as images`,
    bars: `${shape[0]} numbers as bars`,
    matrix: `a matrix of ${shape.join(" × ")}`,
  }[kind];
  return `${name}: ${what}, ${sizeWords(most)}, length ${norm.toPrecision(3)}`;
}

type Color = readonly [number, number, number];
/** Of no weight, of negative and of positive ones: blue and orange, which color-blind people tell apart. */
const colors: {
  readonly [T in Theme]: { readonly [Part in "paper" | "negative" | "positive"]: Color };
} = {
  light: { paper: [255, 255, 255], negative: [0, 90, 181], positive: [220, 106, 0] },
  dark: { paper: [27, 30, 34], negative: [94, 164, 240], positive: [255, 140, 60] },
};

/**
 * Draw a picture, a pixel per cell: the color of 0 is the paper's, negative weights are blue,
 * positive ones orange. Weights that are not finite are gray.
 */
export function drawPicture(canvas: HTMLCanvasElement, picture: Picture, theme: Theme): void {
  const { kind, values, height, width, count, most } = picture;
  const perRow = kind === "images" ? Math.ceil(Math.sqrt(1.6 * count)) : 1;
  const gap = kind === "images" ? 1 : 0;
  const lines = Math.ceil(count / perRow);
  const [wide, high] =
    kind === "bars"
      ? [width * 4, 48]
      : [perRow * (width + gap) - gap, lines * (height + gap) - gap];
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(wide, high);
  const { paper, negative, positive } = colors[theme];
  const paint = (x: number, y: number, value: number) => {
    const at = 4 * (y * wide + x);
    const end = value < 0 ? negative : positive;
    const share = most > 0 ? Math.min(1, Math.abs(value) / most) : 0;
    for (let c = 0; c < 3; c++) {
      const [from, to] = [paper[c] as number, end[c] as number];
      image.data[at + c] = Number.isFinite(value) ? from + (to - from) * share ** 0.8 : 128;
    }
    image.data[at + 3] = 255;
  };
  if (kind === "bars") {
    for (let i = 0; i < width; i++) {
      const value = values[i] as number;
      const length = Math.round(23 * (most > 0 ? Math.abs(value) / most : 0));
      const from = value < 0 ? 24 : 24 - length;
      for (let y = from; y < from + Math.max(1, length); y++) {
        for (let x = 0; x < 3; x++) paint(4 * i + x, y, Math.sign(value) * most || 0);
      }
    }
  } else {
    for (let k = 0; k < count; k++) {
      const [left, top] = [(k % perRow) * (width + gap), Math.floor(k / perRow) * (height + gap)];
      for (let i = 0; i < width * height; i++) {
        const value = values[k * width * height + i] as number;
        paint(left + (i % width), top + Math.floor(i / width), value);
      }
    }
  }
  context.putImageData(image, 0, 0);
}
