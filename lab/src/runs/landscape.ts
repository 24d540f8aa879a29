/** Landscapes: stored places as a grid, for contours and for the surface. */
import { axisWords, type LandscapeData } from "lucid-sam/figures";
import { axisLabel, type StoredLandscape } from "lucid-sam/read";
import type { SurfaceData } from "lucid-sam/surface";

type Layer = "loss" | "shiftedLoss" | "gradNorm" | "shiftedGradNorm" | "cosine";

/** The grid of all coordinates that occur; NaN where a place was not computed. */
export function gridOf({ identity, directions, places }: StoredLandscape): LandscapeData {
  const { axes, rho, problem } = identity;
  const count = places[0]?.place.length ?? axes.length;
  const ticks = Array.from({ length: count }, (_, k) =>
    [...new Set(places.map(({ place }) => place[k] ?? 0))].toSorted((a, b) => a - b),
  );
  const size = ticks.reduce((product, { length }) => product * length, 1);
  const ranks = ticks.map((axis) => new Map(axis.map((tick, rank) => [tick, rank])));
  const has = (layer: Layer) => places.some((place) => place[layer] !== undefined);
  const layer = (name: Layer): number[] => {
    const values = Array.from({ length: size }, () => NaN);
    for (const place of places) {
      // The first axis runs fastest.
      let at = 0;
      for (let k = count - 1; k >= 0; k--) {
        at = at * (ticks[k]?.length ?? 1) + (ranks[k]?.get(place.place[k] ?? 0) ?? 0);
      }
      values[at] = place[name] ?? NaN;
    }
    return values;
  };
  return {
    title: `The landscape around a point of ${typeof problem === "string" ? problem : JSON.stringify(problem)}`,
    rho,
    // Files of earlier versions keep only what tells two axes apart.
    axes: ticks.map((_, k) => (directions?.[k] ? axisLabel(directions[k]) : `axis ${k + 1}`)),
    ...(directions && { units: directions.map(({ unit }) => unit) }),
    ticks,
    loss: layer("loss"),
    shiftedLoss: layer("shiftedLoss"),
    gradNorm: layer("gradNorm"),
    ...(has("shiftedGradNorm") && { shiftedGradNorm: layer("shiftedGradNorm") }),
    ...(has("cosine") && { cosine: layer("cosine") }),
    paths: [],
    marks: [{ name: "x", at: ticks.map(() => 0) }],
  };
}

/** The surfaces of the loss and of what SAM sees; none of a line. */
export function surfaceOf(data: LandscapeData): SurfaceData | undefined {
  const [xs, ys] = data.ticks;
  if (xs === undefined || ys === undefined || xs.length < 2 || ys.length < 2) return undefined;
  const finite = (values: readonly number[]) =>
    values.map((value) => (Number.isFinite(value) ? value : null));
  return {
    axes: [axisWords(data, 0), axisWords(data, 1)],
    ticks: [xs, ys],
    surfaces: [
      { name: "the loss f", values: finite(data.loss) },
      { name: "what SAM sees, f(x⁺)", values: finite(data.shiftedLoss) },
    ],
    paths: [],
    marks: data.marks,
  };
}
