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
  readonly parts: Map<number, Exclude<BasinNews, { error: string }>>;
  readonly onPicture: (picture: BasinPicture) => void;
  readonly onError: (line: string) => void;
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
  start(
    options: BasinOptions,
    onPicture: (picture: BasinPicture) => void,
    onError: (line: string) => void,
  ): void {
    const id = (this.#now?.id ?? 0) + 1;
    this.#now = { id, began: performance.now(), parts: new Map(), onPicture, onError };
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
    if ("error" in news) {
      now.onError(news.error);
      return;
    }
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
