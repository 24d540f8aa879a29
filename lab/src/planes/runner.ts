/** Runs and certificates that need an engine: one worker, asked one thing after another. */
import type { Certificate } from "lucid-sam/diagnostics";
import type { Point } from "lucid-sam/problems";
import { canonicalJson, type RunSpec } from "lucid-sam/run";
import { startEngine, type Engine } from "../engine/client.ts";
import type { LabRow } from "../engine/protocol.ts";
import { courseOf, type Course } from "./walk.ts";

/** Starts its engine when it is first asked. */
export class Runner {
  #engine: Engine | undefined;
  #opened = "";
  #last: Promise<unknown> = Promise.resolve();

  /** The course of a whole run, every step of it. */
  course(spec: RunSpec): Promise<Course> {
    return this.#next(async (engine) => {
      this.#opened = "";
      await engine.open(spec);
      const rows: LabRow[] = [];
      await engine.run({}, (progress) => rows.push(...progress.rows));
      return courseOf(rows);
    });
  }

  /** The certificate of a point, as the run's method sees it; `null` without a ρ. */
  certify(spec: RunSpec, point: Point): Promise<Certificate | null> {
    return this.#next(async (engine) => {
      const key = canonicalJson(spec);
      if (this.#opened !== key) await engine.open(spec);
      this.#opened = key;
      return engine.certify(point);
    });
  }

  end(): void {
    this.#engine?.cancel();
  }

  #next<Answer>(ask: (engine: Engine) => Promise<Answer>): Promise<Answer> {
    const answer = this.#last.then(() => ask((this.#engine ??= startEngine())));
    this.#last = answer.catch(() => undefined);
    return answer;
  }
}
