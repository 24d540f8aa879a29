/** The search: warnings of the run, hallucinated points of the plane, and a branch of them in ρ. */
import type { Warning } from "lucid-sam/diagnostics";
import { CancelledError } from "../engine/client.ts";
import { announcer } from "../shared/announcer.svelte.ts";
import { lineOf } from "../shared/line.ts";
import type { FirstPicture } from "./first-picture.svelte.ts";
import { startPlaneWorker } from "./plane-client.ts";
import type { FollowedBranch, HallucinatedPoint } from "./protocol.ts";
import type { Race } from "./race.svelte.ts";
import type { Scenario } from "./scenario.svelte.ts";
import type { Course } from "./walk.ts";
import { branchSentence } from "./words.ts";

/** Milliseconds that a run, and ρ, keep still before they are judged and searched. */
const [screenAfter, searchAfter] = [200, 350];

export class Search {
  readonly #scenario: Scenario;
  readonly #race: Race;
  readonly #worker = startPlaneWorker();

  constructor(scenario: Scenario, race: Race, first: FirstPicture) {
    this.#scenario = scenario;
    this.#race = race;
    $effect(() => {
      const course = race.first?.course;
      if (course === undefined) {
        this.warning = undefined;
        return undefined;
      }
      const wait = setTimeout(() => void this.#screen(course), screenAfter);
      return () => clearTimeout(wait);
    });
    $effect(() => {
      const key = this.#key;
      if (key === "" || !first.isShown) return undefined;
      let isWanted = true;
      const wait = setTimeout(() => void this.#search(key, () => isWanted), searchAfter);
      return () => {
        isWanted = false;
        clearTimeout(wait);
      };
    });
  }

  /** The first warning that the run shown deserves. */
  warning = $state.raw<Warning>();

  async #screen(course: Course): Promise<void> {
    const { loss, shiftedLoss, gradNorm, shiftedGradNorm, cosine, directionNorm } = course;
    const evidence = { loss, shiftedLoss, gradNorm, shiftedGradNorm, cosine, directionNorm };
    this.warning = await this.#worker.screen(evidence).catch(() => undefined);
  }

  // ---- Hallucinated points ------------------------------------------------------------------

  #found = $state.raw<{
    readonly key: string;
    readonly points: readonly HallucinatedPoint[];
  }>();
  /** What the points depend on; empty where there are none to search for. */
  readonly #key = $derived.by(() => {
    const { spec, rho, broken, planeKey } = this.#scenario;
    return spec.method === "sam" && rho > 0 && broken === undefined ? `${rho} ${planeKey}` : "";
  });
  /** Those of the plane at this ρ, as far as they are known. */
  readonly points = $derived(this.#found?.key === this.#key ? this.#found.points : []);

  async #search(key: string, isWanted: () => boolean): Promise<void> {
    const points = await this.#worker.search(this.#spec()).catch(() => []);
    if (isWanted()) this.#found = { key, points };
  }

  #spec() {
    const { written, rho } = this.#scenario;
    return { ...written, method: "sam", settings: {}, rho };
  }

  // ---- A branch that is followed ------------------------------------------------------------

  #followed = $state.raw<{ readonly planeKey: string; readonly branch: FollowedBranch }>();
  #note = $state("");
  /** The branch through a point that was chosen on this plane. */
  readonly branch = $derived.by(() =>
    this.#followed?.planeKey === this.#scenario.planeKey ? this.#followed.branch : undefined,
  );
  /** What is said of it, or why there is none. */
  readonly note = $derived(this.branch || this.#followed === undefined ? this.#note : "");

  /** Follow the point where the run stands; what is followed is let go. */
  async toggle(): Promise<void> {
    if (this.branch) {
      this.letGo();
      return;
    }
    const { place } = this.#race;
    if (place === undefined) return;
    const { planeKey } = this.#scenario;
    try {
      const branch = await this.#worker.follow(this.#spec(), place);
      this.#followed = { planeKey, branch };
      this.#note = branchSentence(branch);
    } catch (error) {
      if (error instanceof CancelledError) return;
      this.#note = lineOf(error);
    }
    announcer.say(this.#note);
  }

  /** Let the branch go. */
  letGo(): void {
    this.#followed = undefined;
    this.#note = "";
  }

  end(): void {
    this.#worker.cancel();
  }
}
