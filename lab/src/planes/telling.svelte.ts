/** The telling of the story: its moments set the scenario until the reader takes over. */
import { onMount } from "svelte";
import { announcer } from "../shared/announcer.svelte.ts";
import type { Clock } from "./clock.svelte.ts";
import type { Scenario } from "./scenario.svelte.ts";
import type { Search } from "./search.svelte.ts";
import type { Moment, Station } from "./story.ts";

export class Telling {
  readonly #scenario: Scenario;
  readonly #clock: Clock;
  readonly #search: Search;
  /** The moment that is shown. */
  moment = $state.raw<Moment>();
  isTold = $state(false);

  constructor(scenario: Scenario, clock: Clock, search: Search) {
    this.#scenario = scenario;
    this.#clock = clock;
    this.#search = search;
    onMount(() => {
      // The lab's first address begins with it.
      this.isTold = !location.hash.includes("?");
    });
  }

  begin(): void {
    this.isTold = true;
  }

  /** Show a moment; called for every frame. */
  show(now: Moment): void {
    if (this.moment?.station !== now.station) {
      this.#scenario.choose(changeTo(now), { replace: true });
      announcer.say(now.station.caption);
      this.#search.letGo();
    }
    this.moment = now;
    this.#clock.show(now.step);
    if (now.rho !== this.#scenario.rho) this.#scenario.move({ rho: now.rho });
  }

  /** The page belongs to the reader. */
  end(): void {
    this.isTold = false;
    this.moment = undefined;
    this.#scenario.settle();
    this.#clock.pause();
  }
}

/** What a station changes in the address. */
function changeTo({ station, rho }: { readonly station: Station; readonly rho: number }) {
  const { problem, start, lr, steps, turn = 0 } = station;
  return {
    spec: { problem, start: start.join(), rho, lr, steps, method: "sam" },
    fields: {
      turn,
      descent: false,
      layer: "surrogate",
      rival: "none",
      field: true,
      shown: undefined,
    },
  } as const;
}
