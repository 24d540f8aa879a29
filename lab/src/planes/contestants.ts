/** Contestants: the runs that start from one point, and how each of them is computed. */
import { parseSpec, type RunSpec } from "lucid-sam/run";
import type { PlaneFields } from "./fields.ts";
import type { Palette } from "./inks.ts";
import { knobValues, type Course, type Scene, type Stretch } from "./walk.ts";
import { nameOf, whyNotWalked } from "./words.ts";

/** How a run is computed: walked by generated code, or by an engine, and why. */
export type Way =
  { readonly stretches: readonly Stretch[] } | { readonly spec: RunSpec; readonly why: string };

export interface Contestant {
  readonly id: keyof Omit<Palette, "ink">;
  readonly name: string;
  readonly method: string;
  readonly way: Way;
  readonly color: string;
  /** Lengths of dashes and gaps, in pixels of the page; empty: one line. */
  readonly dash: readonly number[];
}

/** A contestant with the path that it took. */
export interface Run extends Contestant {
  readonly course: Course;
}

/** A scene, or why the method has none. */
export type Traced = Scene | Error;

export const isScene = (traced: Traced | undefined): traced is Scene =>
  traced !== undefined && !(traced instanceof Error);

/** What a race is made of; a scene is absent until it is traced. */
export interface Entries {
  readonly spec: RunSpec;
  readonly rho: number;
  readonly fields: PlaneFields;
  /** SAM's scene: with ρ = 0 it is plain descent. */
  readonly base: Traced | undefined;
  /** Of the run's own method. */
  readonly main: Traced | undefined;
  readonly rival: Traced | undefined;
  /** Whether the rival has a ρ. */
  readonly doesRivalLook: boolean;
  readonly palette: Palette;
}

/** Who runs, the run's own method first. */
export function contestantsOf(entries: Entries): Contestant[] {
  const { spec, rho, fields, base, main, rival, doesRivalLook, palette } = entries;
  if (!isScene(base)) return [];
  const isGd = spec.method === "gd";
  const own = nameOf(spec.method);
  const why = whyNotWalked(spec);
  const { turn } = fields;
  const switchStep = spec.switch === undefined ? 0 : Math.ceil(spec.switch * spec.steps);
  const down = (until?: number) => stretchOf(base, 0, until);

  /** Walked with what comes before, unless the run or the scene forbids it. */
  const wayOf = (traced: Traced, before: readonly Stretch[], engineSpec: () => RunSpec): Way =>
    why === undefined && isScene(traced) && !traced.isScheduled
      ? { stretches: [...before, stretchOf(traced, rho)] }
      : { spec: engineSpec(), why: why ?? whyNoScene(traced) };
  /** Plain descent, where the run of the engine is another. */
  const descent = (engineSpec: () => RunSpec): Way =>
    why === undefined ? { stretches: [down()] } : { spec: engineSpec(), why };

  const list: Contestant[] = [];
  const add = (
    id: Contestant["id"],
    method: string,
    name: string,
    dash: readonly number[],
    way: Way,
  ) => list.push({ id, method, name, way, color: palette[id], dash });

  if (isGd)
    add(
      "main",
      "gd",
      own,
      [],
      descent(() => spec),
    );
  else if (main !== undefined) {
    const before = switchStep > 0 ? [down(switchStep)] : [];
    const name = switchStep > 0 ? `Descent, then ${own}` : own;
    add(
      "main",
      spec.method,
      name,
      [],
      wayOf(main, before, () => spec),
    );
    if (turn > 0 && switchStep === 0) {
      const turned = { ...spec, switch: Math.min(1, turn / spec.steps) };
      const words = `Descent for ${turn} steps, then ${own}`;
      add(
        "switch",
        spec.method,
        words,
        [9, 5],
        wayOf(main, [down(turn)], () => turned),
      );
    }
  }
  if (fields.descent && !isGd) {
    const way = descent(() => withMethod(spec, { method: "gd" }));
    add("descent", "gd", "Plain descent", [2, 5], way);
  }
  if (rival !== undefined && fields.rival !== spec.method) {
    const method = fields.rival;
    const radius = doesRivalLook && { rho: spec.rho ?? rho };
    const way = wayOf(rival, [], () => withMethod(spec, { method, ...radius }));
    add("rival", method, nameOf(method), [10, 4, 2, 4], way);
  }
  return list;
}

/** A stretch of a scene's method at a radius. */
const stretchOf = (scene: Scene, rho: number, until = Infinity): Stretch => ({
  see: scene.see,
  knobs: knobValues(scene, { rho }),
  until,
});

/** Why generated code cannot walk a method that keeps its scene from it. */
const whyNoScene = (traced: Traced): string =>
  isScene(traced)
    ? "its settings have a schedule"
    : "it remembers earlier steps, or draws random numbers";

/** The same run by another method, which brings its own settings. */
function withMethod(
  spec: RunSpec,
  change: { readonly method: string; readonly rho?: unknown },
): RunSpec {
  const own = new Set(["switch", "rho", "settings", "method"]);
  const rest = Object.entries(spec).filter(([field]) => !own.has(field));
  return parseSpec({ ...Object.fromEntries(rest), ...change });
}
