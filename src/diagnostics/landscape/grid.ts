/** Grids of places: a landscape evaluated row by row, where what is already known is not computed again. */
import type { Landscape, LandscapeValues } from "./landscape.ts";
import type { Layer } from "./layers.ts";

/** A place and what is known of it. */
export type Place = { readonly place: readonly number[] } & {
  readonly [layer in Layer]?: number | undefined;
};

/** Coordinates along one axis, in ascending order. */
export type Ticks = readonly number[];

/** `points` coordinates from `from` to `to`, both among them. */
export const ticks = (from: number, to: number, points: number): Ticks =>
  Array.from({ length: points }, (_, i) =>
    // Twelve digits: neighbors of a finer grid that are the same place are the same number.
    Number((from + ((to - from) * i) / Math.max(1, points - 1)).toPrecision(12)),
  );

/** All places of a grid, the first coordinate running fastest. */
export function placesOf(axes: readonly Ticks[]): readonly (readonly number[])[] {
  return axes.reduce<readonly (readonly number[])[]>(
    (places, axis) => axis.flatMap((tick) => places.map((place) => [...place, tick])),
    [[]],
  );
}

/** What names a place in a table of known ones. */
export const keyOf = (place: readonly number[]): string => place.map((x) => x + 0).join(",");

/** How a grid is filled. */
export interface FillOptions {
  /** Places that are known, by {@link keyOf}; what is computed joins them. */
  readonly known: Map<string, Place>;
  /** A place is known where it has all of these; default: the loss. */
  readonly wanted?: readonly Layer[] | undefined;
  /** Awaited with what was just computed, some places at a time. */
  readonly onPlaces?:
    ((places: readonly Place[], done: number, of: number) => Promise<void> | void) | undefined;
  /** Looked at between some places and the next. */
  readonly signal?: AbortSignal | undefined;
}

/** Places per call: enough to keep the engine busy, few enough to be saved often. */
const together = 51;

/** Evaluate the places of a grid that are not known yet; `false` where it was interrupted. */
export async function fill(
  landscape: Pick<Landscape, "at">,
  axes: readonly Ticks[],
  { known, wanted = ["loss"], onPlaces, signal }: FillOptions,
): Promise<boolean> {
  const all = placesOf(axes);
  const missing = all.filter((place) => {
    const found = known.get(keyOf(place));
    return found === undefined || !wanted.every((layer) => layer in found);
  });
  for (let first = 0; first < missing.length; first += together) {
    if (signal?.aborted) return false;
    const places = missing.slice(first, first + together);
    const values = await landscape.at(places);
    const found = places.map((place, i): Place => ({ place, ...valuesAt(values, i) }));
    for (const one of found) known.set(keyOf(one.place), one);
    await onPlaces?.(found, all.length - missing.length + first + places.length, all.length);
  }
  return true;
}

const valuesAt = (values: LandscapeValues, i: number) =>
  Object.fromEntries(Object.entries(values).map(([layer, column]) => [layer, column?.[i]]));

/** One layer of a grid that was filled, in the order of {@link placesOf}; NaN where it is not known. */
export const layerOf = (
  axes: readonly Ticks[],
  known: ReadonlyMap<string, Place>,
  layer: Layer,
): number[] => placesOf(axes).map((place) => known.get(keyOf(place))?.[layer] ?? Number.NaN);

/** Layers of a grid that was filled: the two losses and ‖g‖ always, the others where they were computed. */
export const layersOf = (
  axes: readonly Ticks[],
  known: ReadonlyMap<string, Place>,
): LandscapeValues & Record<"loss" | "shiftedLoss" | "gradNorm", readonly number[]> => {
  const [first] = placesOf(axes);
  const any = first && known.get(keyOf(first));
  const layer = (name: Layer) => layerOf(axes, known, name);
  return {
    loss: layer("loss"),
    shiftedLoss: layer("shiftedLoss"),
    gradNorm: layer("gradNorm"),
    ...(any &&
      "cosine" in any && {
        shiftedGradNorm: layer("shiftedGradNorm"),
        cosine: layer("cosine"),
      }),
  };
};
