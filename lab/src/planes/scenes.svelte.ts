/** Scenes of the view: methods on planes as code that runs, traced once each by a worker. */
import { InputError } from "lucid-sam/engine";
import { canonicalJson, type RunSpec } from "lucid-sam/run";
import { SvelteMap } from "svelte/reactivity";
import { CancelledError } from "../engine/client.ts";
import { runCode } from "./code.ts";
import type { PlaneClient } from "./plane-client.ts";
import type { Scene, See } from "./walk.ts";

/** What a scene depends on: the function and the method, not where it starts, nor ρ. */
function sceneKey(spec: RunSpec): string {
  const { problem, f, range, separate, method, settings } = spec;
  return canonicalJson({ problem, f, range, separate, method, settings });
}

/** Scenes by {@link sceneKey}; those that cannot be traced as the reason why. */
export class Scenes {
  readonly #client: PlaneClient;
  readonly #known = new SvelteMap<string, Scene | Error>();
  readonly #asked = new Set<string>();

  constructor(client: PlaneClient) {
    this.#client = client;
  }

  /** The scene of a spec, once it is there. */
  get(spec: RunSpec): Scene | Error | undefined {
    return this.#known.get(sceneKey(spec));
  }

  /** Have it traced, unless it is or will be. */
  ask(spec: RunSpec): void {
    const key = sceneKey(spec);
    if (this.#asked.has(key)) return;
    this.#asked.add(key);
    void this.#make(spec).then(
      (scene) => this.#known.set(key, scene),
      (error: unknown) => {
        if (error instanceof CancelledError) return;
        this.#known.set(key, error instanceof Error ? error : new InputError(String(error)));
      },
    );
  }

  async #make(spec: RunSpec): Promise<Scene> {
    const code = await this.#client.scene(spec);
    const [see, shades] = await Promise.all([
      runCode(code.javaScript),
      runCode(code.mapJavaScript),
    ]);
    return { ...code, see: see as See, shades: shades as See };
  }
}
