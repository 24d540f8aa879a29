/** Basin maps: from which starts on a plane a method ends where, coarse to fine, in a worker or anywhere. */
import { InputError, show } from "../../engine/errors.ts";
import type { Point } from "../../problems/problem.ts";
import type { BasinCode } from "./basin-code.ts";

/**
 * What a run on a plane ended at; the classes of a map are indices into this list.
 *
 * - `minimizer`, `critical`: ‖g‖ < `restNorm`. A minimizer where f − minimum < 1e-12, or, where
 *   the plane knows no minimum, where the Hessian has no negative eigenvalue.
 * - `hallucinated`: ‖v‖ < `ratio`·‖g‖, with v the direction that is followed, in SAM g⁺.
 * - `unsettled`: the steps were spent. More steps may settle it.
 * - `diverged`: the position is no finite number any more.
 */
export const basinEnds = [
  "minimizer",
  "critical",
  "hallucinated",
  "unsettled",
  "diverged",
] as const;

/** The name of an end. */
export type BasinEnd = (typeof basinEnds)[number];

/** The class of pixels that are not computed yet. */
export const notYet = 255;

/** Which map. All of it can be sent to a worker. */
export interface BasinOptions {
  readonly code: Pick<BasinCode, "javaScript" | "knobs" | "mirrors">;
  /** Values of the method's knobs by name, such as ρ. */
  readonly knobs: { readonly [name: string]: number };
  /** [[x₁ min, x₁ max], [x₂ min, x₂ max]]; starts are the centers of its pixels. */
  readonly view: readonly [Point, Point];
  /** Pixels along x₁. */
  readonly columns: number;
  /** Pixels along x₂. */
  readonly rows: number;
  /** The budget: more steps settle more. */
  readonly steps: number;
  /** Learning rate η. */
  readonly rate: number;
  /** The least value of f, where it is known. */
  readonly minimum?: number | undefined;
  /** ‖g‖ below which a run is at rest; default 1e-8. */
  readonly restNorm?: number | undefined;
  /** ‖v‖/‖g‖ below which a run is held; default 1e-8. */
  readonly ratio?: number | undefined;
  /** The part that this worker computes, of `of` workers; default all. */
  readonly share?: { readonly worker: number; readonly of: number } | undefined;
  /** Use mirror images, where the plane has them; default true. The map is the same without. */
  readonly mirror?: boolean | undefined;
}

/** A map, or what there is of it. */
export interface BasinMap {
  /** Row by row with x₂ rising: indices into {@link basinEnds}, {@link notYet} where unknown. */
  readonly classes: Uint8Array;
  /** Steps taken from each start. */
  readonly used: Uint32Array;
  readonly columns: number;
  readonly rows: number;
  /** Pixels between known ones: 8, 4, 2, and 1 once all are. */
  readonly stride: number;
  /** Steps computed so far, mirror images not among them. */
  readonly steps: number;
}

type Loop = (
  starts: Float64Array,
  count: number,
  limits: {
    readonly steps: number;
    readonly rate: number;
    readonly restNorm: number;
    readonly ratio: number;
    readonly minimum: number | undefined;
  },
  knobs: readonly number[],
  classes: Uint8Array,
  used: Uint32Array,
  ends: Float64Array,
) => void;

/** Starts between yields: a few milliseconds to a tenth of a second. */
const atOnce = 1024;

/**
 * Compute a map, coarse to fine: every eighth pixel along each axis, then every fourth, second, all.
 * Every class is what the steps themselves lead to; nothing is interpolated. What is yielded is one
 * object's arrays as they fill up.
 *
 * @param compile how to make the code run; default `new Function`. Where a page's policy forbids
 *   that, import `export default ${code.javaScript}` as a module and give its default export.
 * @throws {InputError} for a size, a budget or knobs that are none.
 * @example
 * for (const map of basinMap({ code, knobs: { rho: 1.6 }, view, columns: 256, rows: 256, steps: 2000, rate: 0.02 }))
 *   postMessage(fillCoarse(map));
 */
export function* basinMap(
  options: BasinOptions,
  compile: (source: string) => unknown = evaluate,
): Generator<BasinMap> {
  const { code, view, columns, rows, steps, rate, minimum, mirror = true } = options;
  const { restNorm = 1e-8, ratio = 1e-8, share = { worker: 0, of: 1 } } = options;
  for (const [name, value] of Object.entries({ columns, rows, steps })) {
    if (!(Number.isInteger(value) && value >= 1 && value <= 1e9)) {
      throw new InputError(`invalid ${name}: ${show(value)} (give a whole number, 1 or more)`);
    }
  }
  const knobs = code.knobs.map((name) => {
    const value = options.knobs[name];
    if (value === undefined) throw new InputError(`missing knob: ${name} (give a number)`);
    return value;
  });
  const loop = compile(code.javaScript) as Loop;
  const limits = { steps, rate, restNorm, ratio, minimum };
  const classes = new Uint8Array(columns * rows).fill(notYet);
  const used = new Uint32Array(columns * rows);
  let taken = 0;

  // Pixels as mirror images have numbers of the same size: (i + ½ − n/2)·width/n on both sides of 0.
  const axis = ([low, high]: Point, count: number, isMirrored: boolean) => ({
    at: (i: number) => (low + high) / 2 + ((2 * i + 1 - count) * (high - low)) / (2 * count),
    mirrored: mirror && isMirrored && low === -high ? count : 0,
    computed: mirror && isMirrored && low === -high ? Math.ceil(count / 2) : count,
  });
  const across = axis(view[0], columns, code.mirrors[0]);
  const up = axis(view[1], rows, code.mirrors[1]);

  for (const stride of [8, 4, 2, 1]) {
    const pixels: number[] = [];
    for (let j = 0; j < up.computed; j += stride) {
      for (let i = 0; i < across.computed; i += stride) {
        const isKnown = stride < 8 && i % (2 * stride) === 0 && j % (2 * stride) === 0;
        if (!isKnown) pixels.push(j * columns + i);
      }
    }
    const own = pixels.filter((_, k) => k % share.of === share.worker);
    for (let from = 0; from < own.length; from += atOnce) {
      const chunk = own.slice(from, from + atOnce);
      const starts = Float64Array.from({ length: 2 * chunk.length }, (_, k) => {
        const pixel = chunk[k >> 1] ?? 0;
        return k % 2 === 0 ? across.at(pixel % columns) : up.at(Math.floor(pixel / columns));
      });
      const found = new Uint8Array(chunk.length);
      const counts = new Uint32Array(chunk.length);
      loop(starts, chunk.length, limits, knobs, found, counts, new Float64Array(starts.length));
      for (const [k, pixel] of chunk.entries()) {
        const [i, j] = [pixel % columns, Math.floor(pixel / columns)];
        taken += counts[k] ?? 0;
        for (const row of imagesOf(j, up.mirrored)) {
          for (const column of imagesOf(i, across.mirrored)) {
            classes[row * columns + column] = found[k] ?? notYet;
            used[row * columns + column] = counts[k] ?? 0;
          }
        }
      }
      const isLast = from + atOnce >= own.length;
      yield { classes, used, columns, rows, stride: isLast ? stride : 2 * stride, steps: taken };
    }
  }
}

/** A pixel and its mirror image; `count` is 0 where there is none. */
const imagesOf = (i: number, count: number): readonly number[] =>
  count === 0 ? [i] : [i, count - 1 - i];

/**
 * A map to look at while it is computed: unknown pixels show the nearest known one of the coarser
 * grid, with or without the mirror images.
 */
export function fillCoarse({ classes, columns, rows }: BasinMap): Uint8Array {
  const filled = classes.slice();
  const near = (i: number, count: number, size: number) => {
    const down = i - (i % size);
    const mirrored = count - 1 - i;
    return [down, count - 1 - (mirrored - (mirrored % size))];
  };
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = row * columns + column;
      for (let size = 2; filled[at] === notYet && size <= 8; size *= 2) {
        for (const j of near(row, rows, size)) {
          for (const i of near(column, columns, size)) {
            const known = classes[j * columns + i] ?? notYet;
            if (known !== notYet) filled[at] = known;
          }
        }
      }
    }
  }
  return filled;
}

/** One map of what several workers have found, each with its own share. */
export function mergeBasins(parts: readonly BasinMap[]): BasinMap {
  const [first] = parts;
  if (first === undefined) throw new InputError("missing maps: give one or more");
  const classes = first.classes.slice();
  const used = first.used.slice();
  for (const part of parts.slice(1)) {
    for (const [i, known] of part.classes.entries()) {
      if (known === notYet) continue;
      classes[i] = known;
      used[i] = part.used[i] ?? 0;
    }
  }
  const stride = Math.max(...parts.map((part) => part.stride));
  const steps = parts.reduce((sum, part) => sum + part.steps, 0);
  return { ...first, classes, used, stride, steps };
}

const evaluate = (source: string): unknown =>
  // oxlint-disable-next-line no-implied-eval, typescript/no-implied-eval, no-new-func -- this library wrote it
  new Function(`"use strict"; return (${source});`)();
