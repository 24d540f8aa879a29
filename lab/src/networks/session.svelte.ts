/** A session: the run of an address and its fork, how they play, and the certificate of where one stands. */
import type { Certificate } from "lucid-sam/diagnostics";
import { canonicalJson, type RunSpec } from "lucid-sam/run";
import type { Address } from "../address.ts";
import { CancelledError, startEngine, type Engine } from "../engine/client.ts";
import { isMotionReduced } from "../shared/motion.svelte.ts";
import { lineOf } from "../shared/line.ts";
import { Track, type Frame } from "./track.svelte.ts";
import { formatTurn, parseTurn, specAt, type Turn } from "./turns.ts";

export type Stage = "ready" | "opening" | "playing" | "paused" | "over";

/** What is known of a certificate that was asked for. */
export type Certified =
  | { readonly step: number; readonly note: string; readonly began: number }
  | { readonly step: number; readonly certificate: Certificate | null }
  | { readonly step: number; readonly error: string };

/** Slices that are taken at once at most, where a machine cannot keep the pace. */
const mostSlices = 8;

const wait = (milliseconds: number) =>
  new Promise<void>((done) => setTimeout(done, Math.max(0, milliseconds)));

export class Session {
  main = $state.raw<Track>();
  fork = $state.raw<Track>();
  stage = $state<Stage>("ready");
  /** What went wrong, in one line. */
  error = $state("");
  certified = $state.raw<Certified>();

  #address: Address<"networks"> | undefined;
  #key = "";
  #forkText: string | undefined;
  #isWanted = false;
  #certifier: Engine | undefined;
  /** Counts what was started: what comes later belongs to nobody. */
  #era = 0;

  /** Take on what the address says; what was computed stays where it is part of it. */
  follow(address: Address<"networks">): void {
    this.#address = address;
    const { spec, fields } = address;
    const turns = fields.turns.map(parseTurn);
    const key = canonicalJson(spec);
    const { main } = this;
    const branch = fields.fork === undefined ? undefined : parseTurn(fields.fork);
    const isSame = key === this.#key && (!main || (samePast(main, turns) && canFork(main, branch)));
    if (!isSame) this.reset();
    else if (main) main.turns = turns;
    this.#key = key;
    if (fields.fork !== this.#forkText) {
      this.#closeFork();
      if (this.stage === "over") this.stage = "paused";
    }
    this.#forkText = fields.fork;
  }

  /** Forget all runs. */
  reset(): void {
    this.#era += 1;
    this.#isWanted = false;
    this.main?.close();
    this.main = undefined;
    this.#closeFork();
    this.cancelCertificate();
    this.certified = undefined;
    this.stage = "ready";
    this.error = "";
  }

  #closeFork(): void {
    this.fork?.close();
    this.fork = undefined;
  }

  pause(): void {
    this.#isWanted = false;
  }

  /** Go on to the end, or to a step; paced, or as fast as this machine can. */
  async play({
    until,
    slices = Infinity,
    isPaced = true,
  }: {
    readonly until?: number | undefined;
    readonly slices?: number | undefined;
    readonly isPaced?: boolean | undefined;
  } = {}): Promise<void> {
    this.#isWanted = true;
    if (this.stage === "playing" || this.stage === "opening") return;
    const era = this.#era;
    // At once: who asks again meanwhile must not start a second loop.
    this.stage = this.main ? "playing" : "opening";
    this.error = "";
    try {
      await this.#play(era, until ?? Infinity, slices, isPaced);
    } catch (error) {
      if (error instanceof CancelledError || era !== this.#era) return;
      this.reset();
      this.error = lineOf(error);
    }
  }

  async #play(era: number, until: number, slices: number, isPaced: boolean): Promise<void> {
    const count = isMotionReduced() ? 24 : 240;
    /** Slices that are taken at once. */
    let pace = isPaced || slices < Infinity ? 1 : mostSlices;
    for (let taken = 0; this.#isWanted && era === this.#era && taken < slices; taken++) {
      const began = performance.now();
      const address = this.#address;
      if (!address) return;
      const { spec, fields } = address;
      const turns = fields.turns.map(parseTurn);
      const branch = fields.fork === undefined ? undefined : parseTurn(fields.fork);
      if (!this.main) {
        const main = (this.main = new Track({ spec, turns, slices: count }));
        await main.open();
        if (era !== this.#era) return;
      }
      const { main } = this;
      await this.#openFork(main, turns, branch, count);
      if (era !== this.#era) return;
      this.stage = "playing";
      const { fork } = this;
      const goesOn = (track: Track) => !track.isOver && track.step < until;
      if (!goesOn(main) && !(fork && goesOn(fork))) break;
      await Promise.all([
        goesOn(main) && main.advance([until, ...(branch ? [branch.step] : [])], pace),
        // Cancelled where the address names another meanwhile.
        fork && goesOn(fork) && fork.advance([until], pace).catch(unlessCancelled),
      ]);
      if (era !== this.#era) return;
      if (isPaced) {
        const interval = (1000 * fields.seconds) / count;
        const taken = (performance.now() - began) / pace;
        await wait(pace * (interval - taken));
        pace = Math.max(1, Math.min(mostSlices, Math.ceil(taken / interval)));
      }
    }
    if (era !== this.#era) return;
    this.#isWanted = false;
    const { main, fork } = this;
    const awaited = this.#forkText === undefined || fork?.isOver;
    this.stage = main?.isOver && awaited ? "over" : "paused";
  }

  /** The fork begins from the frame at its step, as soon as there is one. */
  async #openFork(
    main: Track,
    turns: readonly Turn[],
    branch: Turn | undefined,
    slices: number,
  ): Promise<void> {
    const frame = branch && main.frames.find(({ step }) => step === branch.step);
    if (this.fork || !branch || !frame) return;
    // What was turned before is turned in the fork too; what is turned later is not.
    const before = turns.filter(({ step }) => step < branch.step);
    const fork = (this.fork = new Track({
      spec: main.spec,
      turns: [...before, ...(branch.method === undefined ? turns.slice(before.length) : [branch])],
      from: { step: frame.step, checkpoint: frame.checkpoint },
      slices,
    }));
    await fork.open().catch(unlessCancelled);
  }

  /** The run as it goes where a frame of it stands. */
  specOf(track: Track, { step }: Pick<Frame, "step">): RunSpec {
    // Where a turn begins, the step before was still the other method's.
    const taken = track.turns.filter((turn) => turn.step < step);
    return specAt(track.spec, taken, step);
  }

  /** Certify a frame in float64, in an engine of its own: the run may go on meanwhile. */
  async certify(track: Track, frame: Frame): Promise<void> {
    this.cancelCertificate();
    const { step } = frame;
    const engine = (this.#certifier = startEngine());
    const began = performance.now();
    this.certified = { step, note: "compiling", began };
    try {
      await engine.open(this.specOf(track, frame), { from: frame.checkpoint });
      const certificate = await engine.certify(undefined, (note) => {
        this.certified = { step, note, began };
      });
      this.certified = { step, certificate };
    } catch (error) {
      if (error instanceof CancelledError) return;
      this.certified = { step, error: lineOf(error) };
    } finally {
      engine.cancel();
    }
  }

  cancelCertificate(): void {
    this.#certifier?.cancel();
    this.#certifier = undefined;
    if (this.certified && "note" in this.certified) this.certified = undefined;
  }
}

/** Whether a run went as turns say, as far as it went. */
function samePast(track: Track, turns: readonly Turn[]): boolean {
  const past = (all: readonly Turn[]) =>
    all.filter(({ step }) => step < Math.max(track.next, track.step)).map(formatTurn);
  return past(track.turns).join() === past(turns).join();
}

/** Whether there is, or will be, a frame to fork from. */
const canFork = ({ frames, next }: Track, branch: Turn | undefined): boolean =>
  !branch || branch.step > next || frames.some(({ step }) => step === branch.step) || next === 0;

function unlessCancelled(error: unknown): void {
  if (!(error instanceof CancelledError)) throw error;
}
