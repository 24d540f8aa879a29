/** The clock: which step of the runs is shown, and how they play. */
import type { Scenario } from "./scenario.svelte.ts";

/** Seconds that a run of so many steps is played in. */
const lengthOf = (steps: number): number => Math.min(14, 4 + steps / 100);

export class Clock {
  readonly #scenario: Scenario;
  #frame = 0;
  #shown = $state<number>();
  isPlaying = $state(false);
  readonly steps = $derived.by(() => this.#scenario.steps);
  /** The step shown. */
  readonly step = $derived(Math.min(this.#shown ?? this.steps, this.steps));

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    const linked = $derived(scenario.fields.shown);
    $effect(() => {
      this.#shown = linked;
    });
  }

  play(): void {
    const from = this.step >= this.steps ? 0 : this.step;
    const length = lengthOf(this.steps);
    // Runs move most at their beginning: time goes with the root of the step.
    const offset = Math.sqrt(from / this.steps) * length;
    let began: number | undefined;
    this.isPlaying = true;
    this.#shown = from;
    const tick = (now: number) => {
      if (!this.isPlaying) return;
      began ??= now;
      const part = Math.min(1, ((now - began) / 1000 + offset) / length);
      this.#shown = Math.round(part * part * this.steps);
      if (part < 1) this.#frame = requestAnimationFrame(tick);
      else this.rest(undefined);
    };
    this.#frame = requestAnimationFrame(tick);
  }

  /** Show a step, `undefined` the last, without a word of it in the address; what plays stops. */
  show(step: number | undefined): void {
    this.isPlaying = false;
    cancelAnimationFrame(this.#frame);
    this.#shown = step;
  }

  /** Stop at a step and say so in the address. */
  rest(at: number | undefined): void {
    const shown = at === this.steps ? undefined : at;
    this.show(shown);
    this.#scenario.choose({ fields: { shown } }, { replace: true });
  }

  /** Go to a step with a pointer or keys, which has arrived when it is done. */
  scrub(to: number, done: boolean): void {
    const step = Math.min(this.steps, Math.max(0, to));
    if (done) this.rest(step);
    else this.show(step);
  }

  /** Rest where it is. */
  pause(): void {
    this.rest(this.step);
  }

  /** The next step, after the last the first. */
  advance(): void {
    this.rest(Math.min(this.steps, (this.step >= this.steps ? 0 : this.step) + 1));
  }

  end(): void {
    cancelAnimationFrame(this.#frame);
  }
}
