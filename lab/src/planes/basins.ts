/** Basin maps as the view has them: several workers compute one, the newest alone. */
import {
  basinEnds,
  fillCoarse,
  mergeBasins,
  notYet,
  type BasinEnd,
  type BasinMap,
  type BasinOptions,
} from "lucid-sam/diagnostics";
import type { BasinJob, BasinNews } from "./basin-worker.ts";
import type { Size } from "./painter.ts";
import type { Rgb } from "./scale.ts";

/** A map to look at, finished or not. */
export interface BasinPicture {
  /** Row by row with x₂ rising, without holes. */
  readonly classes: Uint8Array;
  readonly columns: number;
  readonly rows: number;
  /** Pixels between known ones. */
  readonly stride: number;
  readonly done: boolean;
  /** Milliseconds since it was asked for. */
  readonly milliseconds: number;
  /** Share of the known starts by end. */
  readonly shares: { readonly [End in BasinEnd]: number };
}

/** A map that is being computed. */
interface Computing {
  readonly id: number;
  readonly began: number;
  readonly parts: Map<number, BasinNews>;
  readonly onPicture: (picture: BasinPicture) => void;
}

/** Computes maps, one at a time. */
export class Basins {
  readonly #workers: readonly Worker[];
  #now: Computing | undefined;

  constructor(count = Math.max(1, Math.min(4, navigator.hardwareConcurrency || 1))) {
    this.#workers = Array.from({ length: count }, (_, worker) => {
      const thread = new Worker(new URL("./basin-worker.ts", import.meta.url), {
        type: "module",
        name: "lucid basins",
      });
      thread.addEventListener("message", ({ data }: MessageEvent<BasinNews>) =>
        this.#take(worker, data),
      );
      return thread;
    });
  }

  /** Compute a map; what was being computed is dropped. */
  start(options: BasinOptions, onPicture: (picture: BasinPicture) => void): void {
    const id = (this.#now?.id ?? 0) + 1;
    this.#now = { id, began: performance.now(), parts: new Map(), onPicture };
    for (const [worker, thread] of this.#workers.entries()) {
      const share = { worker, of: this.#workers.length };
      // A worker has no origin of its own.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      thread.postMessage({ id, options: { ...options, share } } satisfies BasinJob);
    }
  }

  #take(worker: number, news: BasinNews): void {
    const now = this.#now;
    if (now?.id !== news.id) return;
    now.parts.set(worker, news);
    const parts = [...now.parts.values()];
    // One's part alone has holes.
    if (parts.length < this.#workers.length) return;
    now.onPicture({
      ...pictureOf(mergeBasins(parts.map(({ map }) => map))),
      done: parts.every(({ done }) => done),
      milliseconds: performance.now() - now.began,
    });
  }

  end(): void {
    this.#now = undefined;
    for (const worker of this.#workers) worker.terminate();
  }
}

function pictureOf(map: BasinMap) {
  const counts = basinEnds.map(() => 0);
  let known = 0;
  for (const kind of map.classes) {
    if (kind === notYet) continue;
    known++;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return {
    classes: fillCoarse(map),
    columns: map.columns,
    rows: map.rows,
    stride: map.stride,
    shares: Object.fromEntries(
      basinEnds.map((end, i) => [end, (counts[i] ?? 0) / Math.max(1, known)]),
    ) as { readonly [End in BasinEnd]: number },
  };
}

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
export function isInk(hatch: (typeof basinMarks)[BasinEnd]["hatch"], i: number, j: number) {
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
