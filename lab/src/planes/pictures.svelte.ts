/** Pictures of both maps: their colors, painted by a shader or without, and what lies over them. */
import type { Point } from "lucid-sam/problems";
import { theme } from "../shared/theme.svelte.ts";
import { arrowsOf } from "./arrows.ts";
import type { BasinLayer } from "./basin-layer.svelte.ts";
import { paintBasins } from "./basin-marks.ts";
import type { Clock } from "./clock.svelte.ts";
import type { FirstPicture } from "./first-picture.svelte.ts";
import { inksOf } from "./inks.ts";
import { drawOverlay, type Overlay } from "./overlay.ts";
import { paintPlainly, plainCells, ShaderPainter, type Shade, type Size } from "./painter.ts";
import { mapOutputs } from "./protocol.ts";
import type { Race } from "./race.svelte.ts";
import { ramps } from "./ramps.ts";
import type { Scenario } from "./scenario.svelte.ts";
import type { Search } from "./search.svelte.ts";
import { knobValues } from "./walk.ts";

/** Milliseconds of a shader from which on it is too slow for what moves. */
const slow = 6;

/** What the pictures are made from. */
interface Sources {
  readonly scenario: Scenario;
  readonly clock: Clock;
  readonly race: Race;
  readonly search: Search;
  readonly basins: BasinLayer;
  readonly first: FirstPicture;
}

/** Painters and drawers are functions of their own: maps are given them, and paint again with what they read. */
export class Pictures {
  readonly #from: Sources;
  readonly #shader = ShaderPainter.make();
  /** Set where a driver refuses: JavaScript paints from then on. */
  #isPlain = $state(this.#shader === undefined);
  /** Milliseconds that the shader took of late. */
  #cost = 0;

  constructor(sources: Sources) {
    this.#from = sources;
  }

  readonly inks = $derived(inksOf());
  readonly #arrows = $derived.by(() => {
    const { scenario, race } = this.#from;
    const { fields, radius, view } = scenario;
    if (!fields.field || race.scene === undefined) return undefined;
    return arrowsOf(race.scene, radius, view);
  });

  // ---- Colors -------------------------------------------------------------------------------

  readonly paintLoss = (size: Size): ImageBitmap | undefined => this.#paint("loss", size);

  /** The right map, in the layer that is chosen. */
  readonly paintSeen = (size: Size): ImageBitmap | undefined => {
    const { layer } = this.#from.scenario.fields;
    const { picture } = this.#from.basins;
    if (layer === "basins" && picture) return paintBasins(picture, size);
    return this.#paint(this.seenShade, size);
  };

  /** What the right map is colored by where it shows no basins. */
  get seenShade(): Shade {
    return this.#from.scenario.fields.layer === "slope" ? "shiftedGradNorm" : "shiftedLoss";
  }

  /** What a map is colored by, at (x₁, x₂). */
  valueOf(shade: Shade): (x1: number, x2: number) => number {
    const { scene } = this.#from.race;
    const rho = this.#rhoOf(shade);
    if (scene === undefined) return this.#plainly(shade, rho);
    const knobs = knobValues(scene, { rho });
    const at = mapOutputs.indexOf(shade);
    return (x1, x2) => scene.shades(x1, x2, ...knobs)[at] ?? NaN;
  }

  /** The left map does not change with ρ. */
  #rhoOf(shade: Shade): number {
    return shade === "loss" ? 0 : this.#from.scenario.rho;
  }

  #paint(shade: Shade, size: Size): ImageBitmap | undefined {
    const { scenario, race } = this.#from;
    const { scene } = race;
    const { view, scales } = scenario;
    const kind = shade === "shiftedGradNorm" ? "slope" : "loss";
    const [scale, ramp] = [scales[kind], ramps[theme.current][kind]];
    // A processor that plays the part of a graphics card is too slow for what moves.
    const isHurried = shade !== "loss" && scenario.isMoving && this.#cost > slow;
    if (scene && !this.#isPlain && this.#shader && !isHurried) {
      const knobs = knobValues(scene, { rho: this.#rhoOf(shade) });
      const began = performance.now();
      const bitmap = this.#shader.paint(scene, { shade, view, knobs, scale, ramp }, size);
      this.#cost = (this.#cost + performance.now() - began) / 2;
      if (bitmap) return bitmap;
      queueMicrotask(() => (this.#isPlain = true));
    }
    // The first picture has to be quick, as what moves.
    const isQuick = scene === undefined || scenario.isMoving;
    const cells = isQuick ? plainCells.moving : plainCells.resting;
    return paintPlainly(this.valueOf(shade), { view, scale, ramp }, size, cells);
  }

  /** The first picture needs no code: SAM's ascent by the plane's closed forms. */
  #plainly(shade: Shade, rho: number): (x1: number, x2: number) => number {
    const { plane } = this.#from.scenario;
    if (shade === "loss") return (x1, x2) => plane.value([x1, x2]);
    return (x1, x2) => {
      // x⁺ = x + ρ g/‖g‖
      const [g1, g2] = plane.gradient([x1, x2]);
      const norm = Math.hypot(g1, g2) || 1;
      const ahead: Point = [x1 + (rho * g1) / norm, x2 + (rho * g2) / norm];
      return shade === "shiftedLoss" ? plane.value(ahead) : Math.hypot(...plane.gradient(ahead));
    };
  }

  // ---- What lies over them ------------------------------------------------------------------

  readonly drawLoss = (context: CanvasRenderingContext2D, ratio: number): void => {
    drawOverlay(context, this.#overlay(ratio));
    this.#from.first.drawn();
  };

  readonly drawSeen = (context: CanvasRenderingContext2D, ratio: number): void => {
    const { points } = this.#from.search;
    drawOverlay(context, {
      ...this.#overlay(ratio),
      field: this.#arrows,
      hallucinated: points,
    });
  };

  /** What lies over both. */
  #overlay(ratio: number): Overlay {
    const { scenario, clock, race, search } = this.#from;
    const { view, plane, rho, start } = scenario;
    return {
      view,
      ratio,
      inks: this.inks,
      critical: plane.critical,
      hallucinated: [],
      branch: search.branch,
      rho,
      runs: race.runs,
      step: clock.step,
      start,
    };
  }
}
