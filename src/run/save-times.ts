/**
 * Times of checkpoints: soon at first, so that a machine that dies every few seconds still gets on,
 * then ever less often, so that one that lives spends its time on steps.
 */

/** Milliseconds from the start to the first checkpoint. */
const first = 300;

/** Share of the time that checkpoints may take, unless that would make them rarer than asked. */
const share = 0.05;

/** Says when to keep where a run stands. */
export interface SaveTimes {
  /** Whether a checkpoint is due. */
  due(): boolean;
  /** A checkpoint has been kept, which took so many milliseconds. */
  saved(took: number): void;
}

/**
 * Checkpoints after 0.3 s, and then after twice the time as before. What a crash costs is at most
 * about half of what was done since the process began.
 *
 * @param longest milliseconds between checkpoints in the end; 0: after every chunk.
 * @param now milliseconds, from any origin; default the monotonic clock.
 */
export function saveTimes(longest: number, now: () => number = () => performance.now()): SaveTimes {
  let interval = Math.min(first, longest);
  let last = now();
  return {
    due: () => now() - last >= interval,
    saved(took) {
      last = now();
      interval = Math.min(longest, Math.max(2 * interval, took / share));
    },
  };
}
