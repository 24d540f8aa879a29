/** The scenario: which run on which plane from where, as the address says, and what moved since. */
import { InputError } from "lucid-sam/engine";
import { findProblem, type Plane, type Point } from "lucid-sam/problems";
import { canonicalJson, parseSpec, type RunSpec } from "lucid-sam/run";
import type { Change } from "../address.ts";
import { announcer } from "../shared/announcer.svelte.ts";
import type { ViewProps } from "../view.ts";
import { lineOf } from "../shared/line.ts";
import { scalesOf } from "./ramps.ts";

/** Changes that come with every movement: shown at once, in the address a little later. */
interface Moved {
  readonly rho?: number;
  readonly lr?: number;
  readonly start?: Point;
}

/** Milliseconds until what moved is written: browsers allow few changes of the address a second. */
const writeAfter = 400;
/** Milliseconds without a movement after which nothing moves any more. */
const restAfter = 150;

/** The address as state: everything of it that the view shows, and the ways to change it. */
export class Scenario {
  readonly #props: ViewProps<"planes">;
  #moved = $state.raw<Moved>({});
  #writing: ReturnType<typeof setTimeout> | undefined;
  #resting: ReturnType<typeof setTimeout> | undefined;

  /** Why the last change was refused, in one line; empty where it was not. */
  refusal = $state("");
  /** Whether a slider or the start is being moved. */
  isMoving = $state(false);

  constructor(props: ViewProps<"planes">) {
    this.#props = props;
  }

  // ---- What is shown ------------------------------------------------------------------------

  /** The run of the address alone: unlike {@link spec}, it stays as it is while something moves. */
  readonly written = $derived.by((): RunSpec => this.#props.address.spec);
  readonly spec = $derived.by((): RunSpec => ({ ...this.written, ...this.#moved }));
  readonly fields = $derived.by(() => this.#props.address.fields);
  readonly rho = $derived(typeof this.spec.rho === "number" ? this.spec.rho : 0);
  /** The radius that the method looks from: none where it is plain descent. */
  readonly radius = $derived(this.spec.method === "gd" ? 0 : this.rho);
  readonly rate = $derived(this.spec.lr);
  readonly steps = $derived(this.spec.steps);

  /** What the plane depends on, and nothing else. */
  readonly planeKey = $derived.by(() => {
    const { problem, f, range, separate } = this.written;
    return canonicalJson({ problem, f, range, separate });
  });
  readonly #startKey = $derived(canonicalJson(this.written["start"] ?? null));
  readonly #made = $derived(planeOf(this.planeKey, () => this.#startKey));
  /** Why there is nothing to draw, where there is not. */
  readonly broken = $derived(typeof this.#made === "string" ? this.#made : undefined);
  readonly plane = $derived(
    typeof this.#made === "string" ? blankPlane(this.planeKey) : this.#made,
  );
  readonly view = $derived(this.plane.domain);
  readonly scales = $derived(scalesOf(this.plane));
  readonly start = $derived((this.spec["start"] as Point | undefined) ?? this.plane.start);
  /** Where the slider of ρ ends. */
  readonly mostRho = $derived.by(() => {
    const [[left, right], [bottom, top]] = this.view;
    const half = Math.hypot(right - left, top - bottom) / 2;
    return Math.max(Number(half.toPrecision(2)), Math.ceil(this.rho));
  });

  /** The run with the start that is shown, as commands and engines take it. */
  canonical(): RunSpec {
    return parseSpec({ ...this.spec, start: [...this.start] });
  }

  // ---- How it changes -----------------------------------------------------------------------

  /** Show what moves at once, and write it into the address a little later. */
  move(more: Moved): void {
    this.#moved = { ...this.#moved, ...more };
    this.#writing ??= setTimeout(() => this.settle(), writeAfter);
    this.isMoving = true;
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => (this.isMoving = false), restAfter);
  }

  /** Write what moved into the address. */
  settle(): void {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    if (Object.keys(this.#moved).length === 0) return;
    const { start, ...rest } = this.#moved;
    const spec = { ...rest, ...(start && { start: start.join() }) };
    this.#attempt({ spec }, { replace: true });
    this.#moved = {};
  }

  /** Change the address: another entry in the browser's history. What is refused is said. */
  choose(change: Change<"planes">, how?: { readonly replace?: boolean }): void {
    this.settle();
    this.#attempt(change, how);
  }

  /**
   * The same where the refusal is said beside the field that was filled in.
   *
   * @throws {InputError} where that would be no run; the address stays.
   */
  set(change: Change<"planes">): void {
    this.settle();
    this.#props.go(change);
  }

  #attempt(change: Change<"planes">, how?: { readonly replace?: boolean }): void {
    try {
      this.#props.go(change, how);
      this.refusal = "";
    } catch (error) {
      this.refusal = lineOf(error);
      announcer.say(this.refusal);
    }
  }

  end(): void {
    clearTimeout(this.#writing);
    clearTimeout(this.#resting);
  }
}

/** Where there is no plane: nothing, over the range that was given, for a start to be put there. */
function blankPlane(key: string): Plane {
  const { range = [-2, 2, -2, 2] } = JSON.parse(key) as { readonly range?: readonly number[] };
  const [left = -2, right = 2, bottom = -2, top = 2] = range;
  return {
    value: () => NaN,
    gradient: () => [NaN, NaN],
    hessian: () => [
      [NaN, NaN],
      [NaN, NaN],
    ],
    critical: [],
    domain: [
      [left, right],
      [bottom, top],
    ],
    start: [(left + right) / 2, (bottom + top) / 2],
  };
}

/**
 * The plane of a key, or why there is none. A start of one's own is asked for by planes that have
 * none themselves.
 */
function planeOf(key: string, startOf: () => string): Plane | string {
  const given = JSON.parse(key) as { readonly problem: string };
  const entry = findProblem(given.problem);
  const make = (start: unknown) => {
    const options = { ...entry.options.parse({ ...given, start }), dtype: "float64" as const };
    const { plane } = entry.create(options, undefined);
    if (plane === undefined) throw new InputError(`invalid problem: ${given.problem} is no plane`);
    return plane;
  };
  try {
    return make(undefined);
  } catch {
    try {
      return make(JSON.parse(startOf()) ?? undefined);
    } catch (error) {
      return lineOf(error);
    }
  }
}
