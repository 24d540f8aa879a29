/** The trajectory of a run: points it went through, by training it again from its spec. */
import { flatten } from "../diagnostics/point/derivatives.ts";
import type { Vector } from "../diagnostics/algebra/vectors.ts";
import type { EngineOptions } from "../engine/index.ts";
import type { Sources } from "../problems/sources.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { buildMethod } from "./build.ts";
import { createProgramCache } from "./programs.ts";
import type { RunSpec } from "./spec.ts";
import { modelOf } from "../sam/training/state.ts";

/** A point of a run. */
export interface Waypoint {
  readonly step: number;
  /** All parameters in one row. */
  readonly point: Vector;
}

export interface TrajectoryOptions extends EngineOptions {
  readonly sources: Sources;
  /** Points to keep besides the first, evenly spread over the steps; default 100. */
  readonly count?: number | undefined;
  readonly onProgress?: ((step: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Points of a run, from its start to its end. Runs keep no points of networks, which would be large;
 * a run is the same bits each time on one engine with as many threads, so that it is trained again.
 * Fewer points than asked for only after `signal`.
 */
export async function trajectoryOf(
  spec: RunSpec,
  { sources, count = 100, onProgress, signal, ...engine }: TrajectoryOptions,
): Promise<readonly Waypoint[]> {
  const cache = createProgramCache(sources, engine, 1);
  try {
    const { training } = await cache.prepare(spec, signal);
    const { steps, seed } = spec;
    const method = buildMethod(spec);
    let from: Checkpoint | ReturnType<typeof training.start> = training.start(seed);
    const points: Waypoint[] = [{ step: 0, point: flatten(modelOf(from).params) }];
    const stride = Math.max(1, Math.ceil(steps / count));
    for (let step = 0; step < steps && !signal?.aborted;) {
      const until = Math.min(step + stride, steps);
      const run = await training.run({ steps, seed, method, from, until, signal });
      from = run.checkpoint;
      step = run.step;
      onProgress?.(step);
      if (step === until) points.push({ step, point: flatten(run.model.params) });
    }
    return points;
  } finally {
    await cache.dispose();
  }
}
