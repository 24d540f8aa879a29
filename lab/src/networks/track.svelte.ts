/** A track: one run in an engine of its own, taken slice by slice, with frames to go back to. */
import type { Verdict, Warning } from "lucid-sam/diagnostics";
import { findProblem, type Model } from "lucid-sam/problems";
import { canonicalJson, type RunSpec, type Scores } from "lucid-sam/run";
import { parseSchedule } from "lucid-sam/sam";
import { startEngine, type Engine } from "../engine/client.ts";
import type { Bytes, LabRow, Opened } from "../engine/protocol.ts";
import { specAt, type Turn } from "./turns.ts";

/** Where a run stood, with all it takes to look at it, certify it, or go on from there. */
export interface Frame {
  readonly step: number;
  readonly checkpoint: Bytes;
  readonly model: Model;
  /** Parameters at x⁺, for networks that are drawn as curves. */
  readonly ascent?: Model["params"] | undefined;
  /** What the optimizer saw in the step before; none at the start. */
  readonly row?: LabRow | undefined;
  readonly verdict?: Verdict | undefined;
  readonly scores?: Scores | undefined;
}

/** Rows that are kept of a run, about. */
const rowsKept = 1500;
/** Bytes that the frames of a run may take, about. */
const bytesKept = 24e6;
/** Slices between two evaluations. */
const evaluateEvery = 4;

export interface TrackOptions {
  readonly spec: RunSpec;
  readonly turns: readonly Turn[];
  /** Go on from here. */
  readonly from?: { readonly step: number; readonly checkpoint: Bytes } | undefined;
  /** Slices that a run is cut into, at most. */
  readonly slices: number;
}

export class Track {
  readonly spec: RunSpec;
  /** Step of the first frame. */
  readonly first: number;
  turns = $state.raw<readonly Turn[]>([]);
  opened = $state.raw<Opened>();
  rows = $state.raw<readonly LabRow[]>([]);
  frames = $state.raw<readonly Frame[]>([]);
  scores = $state.raw<readonly Scores[]>([]);
  warning = $state.raw<Warning>();
  verdict = $state.raw<Verdict>();
  /** The first step whose numbers are not finite. */
  lost = $state<number>();
  /** Steps taken. */
  readonly step = $derived(this.frames.at(-1)?.step ?? 0);
  /** The step that the slice under way ends with. */
  next = 0;

  readonly #engine: Engine = startEngine();
  readonly #options: TrackOptions;
  /** The run as the engine has it. */
  #now: RunSpec;
  #slices: number;

  constructor(options: TrackOptions) {
    const { spec, turns, from } = options;
    this.#options = options;
    this.#slices = options.slices;
    this.spec = spec;
    this.turns = turns;
    this.first = this.next = from?.step ?? 0;
    // A checkpoint is one of the method that made it; what takes over there does so afterwards.
    const before = turns.filter(({ step }) => step < this.first);
    this.#now = specAt(spec, before, this.first);
  }

  get isOver(): boolean {
    return this.frames.length > 0 && (this.lost !== undefined || this.step >= this.spec.steps);
  }

  /** Compile, and stand at the first frame. */
  async open(): Promise<void> {
    const { from } = this.#options;
    this.opened = await this.#engine.open(this.#now, { from: from?.checkpoint });
    const frame = await this.#frame(this.first, { model: this.opened.model });
    // Checkpoint and model are about as large.
    const fitting = Math.floor(bytesKept / (2 * frame.checkpoint.length));
    this.#slices = Math.max(16, Math.min(this.#slices, fitting));
    this.frames = [frame];
  }

  /**
   * Take a slice, or several at once where this machine cannot keep the pace: up to the next frame,
   * and no further than any of the stops ahead.
   */
  async advance(stops: readonly number[], slices = 1): Promise<void> {
    const { steps } = this.spec;
    const { step } = this;
    const ahead = [...stops, ...this.turns.map((turn) => turn.step), steps];
    this.next = Math.min(this.#boundary(step, slices), ...ahead.filter((stop) => stop > step));
    const wanted = specAt(this.spec, this.turns, step);
    if (canonicalJson(wanted) !== canonicalJson(this.#now)) {
      this.#now = await this.#engine.change(wanted);
    }
    const rows: LabRow[] = [];
    let latest: LabRow | undefined;
    const stopped = await this.#engine.run(
      { until: this.next, recordEvery: Math.max(1, Math.ceil(steps / rowsKept)) },
      (progress) => {
        for (const row of progress.rows) rows.push(row);
        latest = progress.latest;
      },
    );
    this.verdict = stopped.verdict;
    this.warning = stopped.warning ?? undefined;
    this.rows = [...this.rows, ...rows];
    const bad = latest && !Number.isFinite(latest.loss) ? latest.step : undefined;
    this.lost = rows.find(({ loss }) => !Number.isFinite(loss))?.step ?? bad;
    const isLast = stopped.step >= steps || this.lost !== undefined;
    const isDue = isLast || this.frames.length % evaluateEvery === 0;
    const scores = isDue && (await this.#evaluate());
    const { model, verdict } = stopped;
    const frame = await this.#frame(stopped.step, {
      model,
      verdict,
      row: latest,
      ...(scores && { scores }),
    });
    this.frames = [...this.frames, frame];
  }

  /** Slices grow: a run moves most at its beginning. */
  #boundary(step: number, slices: number): number {
    const { steps } = this.spec;
    const slice = Math.floor(Math.sqrt(step / steps) * this.#slices + 1e-9) + slices;
    return Math.max(step + 1, Math.ceil(steps * (slice / this.#slices) ** 2));
  }

  async #frame(step: number, what: Omit<Frame, "step" | "checkpoint" | "ascent">): Promise<Frame> {
    const checkpoint = await this.#engine.checkpoint();
    const rho = this.#rhoAt(step);
    const isDrawn = this.spec.problem === "regression" && rho > 0 && this.lost === undefined;
    return {
      step,
      checkpoint,
      ...what,
      ...(isDrawn && { ascent: await this.#engine.ascent(rho) }),
    };
  }

  /** ρ of SAM at a step; 0 where another method goes on. */
  #rhoAt(step: number): number {
    const { method, rho, steps } = this.#now;
    if (method !== "sam" || rho === undefined) return 0;
    const schedule = parseSchedule(rho);
    return typeof schedule === "number" ? schedule : schedule(Math.min(step, steps - 1), steps);
  }

  /** Accuracy, where the problem learns data. */
  async #evaluate(): Promise<Scores | undefined> {
    if (findProblem(this.spec.problem).data === "none") return undefined;
    const scores = await this.#engine.evaluate();
    this.scores = [...this.scores, scores];
    return scores;
  }

  /** The last frame up to a step; the newest where none is asked for. */
  frameAt(step: number | undefined): Frame | undefined {
    if (step === undefined) return this.frames.at(-1);
    return this.frames.findLast((frame) => frame.step <= step) ?? this.frames[0];
  }

  /** End its engine, whatever it computes. */
  close(): void {
    this.#engine.cancel();
  }
}
