/** The race: methods as code, the runs from one start, how they stand, and what is said of it. */
import { canonicalJson, parseSpec, type RunSpec } from "lucid-sam/run";
import { findMethod } from "lucid-sam/sam";
import { untrack } from "svelte";
import { CancelledError } from "../engine/client.ts";
import { lineOf } from "../shared/line.ts";
import type { Clock } from "./clock.svelte.ts";
import { contestantsOf, isScene, type Run } from "./contestants.ts";
import type { FirstPicture } from "./first-picture.svelte.ts";
import { paletteOf } from "./inks.ts";
import { startPlaneWorker } from "./plane-client.ts";
import type { Runner } from "./runner.ts";
import type { Scenario } from "./scenario.svelte.ts";
import { Scenes } from "./scenes.svelte.ts";
import { entryAt, pointAt, standAt, walk, type Course } from "./walk.ts";
import { verdictSentence } from "./words.ts";

/** Milliseconds that a run keeps still before an engine computes it. */
const engineAfter = 300;
/** Courses of engines that are kept: memory stays flat. */
const mostCourses = 8;

export class Race {
  readonly #scenario: Scenario;
  readonly #clock: Clock;
  readonly #tracer = startPlaneWorker();
  readonly #scenes = new Scenes(this.#tracer);
  /** Courses that an engine computed, by their specs. */
  #computed = $state.raw<{ readonly [spec: string]: Course }>({});
  /** Specs that an engine computes, or will. */
  readonly #underway = new Set<string>();
  /** What the engine says of its work. */
  engineNote = $state("");

  constructor(scenario: Scenario, clock: Clock, runner: Runner, first: FirstPicture) {
    this.#scenario = scenario;
    this.#clock = clock;
    $effect(() => {
      if (!first.isShown || scenario.broken !== undefined) return;
      const wanted = [this.#base, this.#main, this.#rival].filter((spec) => spec !== undefined);
      untrack(() => {
        for (const spec of wanted) this.#scenes.ask(spec);
      });
    });
    $effect(() => {
      const wanted = this.#wantedOfEngine;
      const wait = setTimeout(() => void this.#compute(wanted, runner), engineAfter);
      return () => clearTimeout(wait);
    });
  }

  // ---- Methods as code ----------------------------------------------------------------------

  readonly #base = $derived.by(() => withMethod(this.#scenario.written, "sam", {}));
  readonly #main = $derived.by(() => {
    const { spec, written } = this.#scenario;
    return spec.method === "gd" ? undefined : withMethod(written, spec.method, written.settings);
  });
  readonly #rival = $derived.by(() => {
    const { rival } = this.#scenario.fields;
    if (rival === "none") return undefined;
    const { settings } = parseSpec({ problem: "ridge", method: rival });
    return withMethod(this.#scenario.written, rival, settings);
  });
  readonly #baseScene = $derived(this.#scenes.get(this.#base));
  readonly #mainScene = $derived(this.#main && this.#scenes.get(this.#main));
  readonly #rivalScene = $derived(this.#rival && this.#scenes.get(this.#rival));
  /** Why not even SAM can be traced here, where it cannot. */
  readonly sceneError = $derived(
    this.#baseScene instanceof Error ? this.#baseScene.message : undefined,
  );
  /** What the maps show: what the method sees, or SAM where the method's is no function of the point. */
  readonly scene = $derived(
    isScene(this.#mainScene)
      ? this.#mainScene
      : isScene(this.#baseScene)
        ? this.#baseScene
        : undefined,
  );

  // ---- Runs from one start ------------------------------------------------------------------

  readonly palette = $derived(paletteOf());
  readonly contestants = $derived.by(() => {
    const { broken, spec, rho, fields } = this.#scenario;
    if (broken !== undefined) return [];
    return contestantsOf({
      spec,
      rho,
      fields,
      base: this.#baseScene,
      main: this.#mainScene,
      rival: this.#rivalScene,
      doesRivalLook: this.#rival?.rho !== undefined,
      palette: this.palette,
    });
  });
  readonly #wantedOfEngine = $derived(
    this.contestants.flatMap(({ way }) => ("spec" in way ? [way.spec] : [])),
  );
  readonly runs = $derived.by((): Run[] =>
    this.contestants.flatMap((contestant) => {
      const { start, rate, steps } = this.#scenario;
      const { way } = contestant;
      const course =
        "stretches" in way
          ? walk(way.stretches, start, rate, steps)
          : this.#computed[canonicalJson(way.spec)];
      return course === undefined ? [] : [{ ...contestant, course }];
    }),
  );
  /** The run of the method itself. */
  readonly first = $derived(this.runs.find(({ id }) => id === "main"));
  /** Where it stands at the step shown. */
  readonly place = $derived.by(() => {
    const course = this.first?.course;
    return course && pointAt(course, entryAt(course, this.#clock.step));
  });

  async #compute(wanted: readonly RunSpec[], runner: Runner): Promise<void> {
    for (const spec of wanted) {
      const key = canonicalJson(spec);
      if (key in this.#computed || this.#underway.has(key)) continue;
      this.#underway.add(key);
      this.engineNote = "The engine computes …";
      try {
        const course = await runner.course(spec);
        const kept = Object.entries(this.#computed).slice(1 - mostCourses);
        this.#computed = { ...Object.fromEntries(kept), [key]: course };
        this.engineNote = "";
      } catch (error) {
        if (error instanceof CancelledError) return;
        this.engineNote = lineOf(error);
      } finally {
        this.#underway.delete(key);
      }
    }
  }

  // ---- How they stand -----------------------------------------------------------------------

  /** By run, in their order. */
  readonly stands = $derived(
    this.runs.map(({ course }) => {
      const { plane, rho } = this.#scenario;
      return standAt(course, entryAt(course, this.#clock.step), plane, Math.max(rho, 0.1));
    }),
  );
  /** The verdict, or why there is none yet. */
  readonly sentence = $derived.by(() => {
    const { broken, rho, steps } = this.#scenario;
    const { first } = this;
    if (broken !== undefined) return "There is no picture of this yet.";
    const stand = first && this.stands[this.runs.indexOf(first)];
    if (first === undefined || stand === undefined) {
      const waiting = this.contestants.some(({ id }) => id === "main");
      return waiting ? "The engine computes this run." : "One moment: the method is being traced.";
    }
    const k = entryAt(first.course, this.#clock.step);
    return verdictSentence(first.name, first.course, k, stand, { rho, steps });
  });

  end(): void {
    this.#tracer.cancel();
  }
}

/** What a scene is traced from: a method on the run's plane, with any ρ where it has one. */
const withMethod = (spec: RunSpec, method: string, settings: RunSpec["settings"]): RunSpec => ({
  ...spec,
  method,
  settings,
  rho: findMethod(method).options.shape["rho"] === undefined ? undefined : 1,
});
