/** A session of the planes view: its state in one place, and what the reader may do with it. */
import type { Point } from "lucid-sam/problems";
import { findMethod } from "lucid-sam/sam";
import { announcer } from "../shared/announcer.svelte.ts";
import { isMotionReduced } from "../shared/motion.svelte.ts";
import type { ViewProps } from "../view.ts";
import { BasinLayer } from "./basin-layer.svelte.ts";
import { Certifier } from "./certifier.svelte.ts";
import { Clock } from "./clock.svelte.ts";
import { FirstPicture } from "./first-picture.svelte.ts";
import { Pictures } from "./pictures.svelte.ts";
import { presets } from "./presets.ts";
import { Race } from "./race.svelte.ts";
import { Runner } from "./runner.ts";
import { Scenario } from "./scenario.svelte.ts";
import { Search } from "./search.svelte.ts";
import { Telling } from "./telling.svelte.ts";

export class Session {
  readonly scenario: Scenario;
  readonly clock: Clock;
  readonly race: Race;
  readonly search: Search;
  readonly certifier: Certifier;
  readonly basins: BasinLayer;
  readonly pictures: Pictures;
  readonly telling: Telling;
  readonly #runner = new Runner();

  /** Made while a component is: its parts have effects. */
  constructor(props: ViewProps<"planes">) {
    const first = new FirstPicture();
    const scenario = (this.scenario = new Scenario(props));
    const clock = (this.clock = new Clock(scenario));
    const race = (this.race = new Race(scenario, clock, this.#runner, first));
    const search = (this.search = new Search(scenario, race, first));
    const basins = (this.basins = new BasinLayer(scenario, race));
    this.certifier = new Certifier(scenario, race, this.#runner);
    this.pictures = new Pictures({ scenario, clock, race, search, basins, first });
    this.telling = new Telling(scenario, clock, search);
    $effect(() => {
      if (!clock.isPlaying && this.telling.moment === undefined) announcer.say(race.sentence);
    });
  }

  /** Another plane, from its own start. */
  pickPlane(problem: string): void {
    this.scenario.choose({ spec: { problem, start: undefined }, fields: { shown: undefined } });
  }

  /** A scene worth seeing, from its beginning. */
  pickPreset(name: string): void {
    const preset = presets.find((one) => one.name === name);
    if (preset === undefined) return;
    this.search.letGo();
    this.scenario.choose({
      spec: {
        start: undefined,
        lr: undefined,
        steps: undefined,
        method: "sam",
        switch: undefined,
        f: undefined,
        range: undefined,
        ...preset.spec,
      },
      fields: { turn: 0, descent: true, rival: "none", shown: undefined, ...preset.fields },
    });
    announcer.say(preset.words);
    if (!isMotionReduced()) this.clock.play();
  }

  /** Another method, with its own settings, and with a ρ where it has one. */
  pickMethod(method: string): void {
    const { written, rho } = this.scenario;
    const takesRho = findMethod(method).options.shape["rho"] !== undefined;
    const settings = Object.keys(written.settings).map((name) => [`set.${name}`, undefined]);
    this.scenario.choose({
      spec: {
        ...Object.fromEntries(settings),
        method,
        rho: takesRho ? (rho > 0 ? rho : 1) : undefined,
        ...(method === "gd" && { switch: undefined }),
      },
    });
  }

  /** Another start, whose runs are shown whole. */
  moveStart(start: Point, done: boolean): void {
    this.scenario.move({ start });
    this.clock.show(undefined);
    if (done) this.scenario.settle();
  }

  /** End all workers. */
  end(): void {
    this.scenario.end();
    this.clock.end();
    this.race.end();
    this.search.end();
    this.basins.end();
    this.#runner.end();
  }
}
