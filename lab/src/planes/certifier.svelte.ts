/** The certifier: the certificate of where the run stands, in float64, on demand. */
import type { Certificate } from "lucid-sam/diagnostics";
import { canonicalJson } from "lucid-sam/run";
import { CancelledError } from "../engine/client.ts";
import { announcer } from "../shared/announcer.svelte.ts";
import { lineOf } from "../shared/line.ts";
import type { Race } from "./race.svelte.ts";
import type { Runner } from "./runner.ts";
import type { Scenario } from "./scenario.svelte.ts";

export class Certifier {
  readonly #scenario: Scenario;
  readonly #race: Race;
  readonly #runner: Runner;
  #last = $state.raw<{ readonly key: string; readonly certificate: Certificate }>();
  isBusy = $state(false);
  /** What is said while there is no certificate. */
  note = $state("");

  constructor(scenario: Scenario, race: Race, runner: Runner) {
    this.#scenario = scenario;
    this.#race = race;
    this.#runner = runner;
  }

  /** What a certificate depends on; nothing where no run stands. */
  readonly #key = $derived.by(() => {
    const { planeKey, rho, rate, spec } = this.#scenario;
    const point = this.#race.place;
    const { method, settings } = spec;
    return point && canonicalJson({ planeKey, point, rho, rate, method, settings });
  });
  readonly isReady = $derived.by(() => this.#key !== undefined && this.#scenario.rho !== 0);
  /** Of the point shown, once it was asked for. */
  readonly certificate = $derived(
    this.#last?.key === this.#key ? this.#last?.certificate : undefined,
  );

  async certify(): Promise<void> {
    const [key, { place }] = [this.#key, this.#race];
    if (key === undefined || place === undefined || this.isBusy) return;
    this.isBusy = true;
    this.note = "Certifying in float64 …";
    announcer.say(this.note);
    try {
      const certificate = await this.#runner.certify(this.#scenario.canonical(), place);
      if (certificate === null) this.note = "Without a ρ there is nothing to certify.";
      else {
        this.#last = { key, certificate };
        this.note = "";
        announcer.say(certificate.verdict.sentence);
      }
    } catch (error) {
      if (error instanceof CancelledError) return;
      this.note = lineOf(error);
    } finally {
      this.isBusy = false;
    }
  }
}
