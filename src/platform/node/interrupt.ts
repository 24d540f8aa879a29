/** Ctrl-C: once to stop in good order, twice to stop at once. */

/** A promise to stop soon after SIGINT or SIGTERM. */
export interface Interrupt {
  /** Take the signals over from now on, where that was to come later. */
  listen(): void;
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** Give SIGINT and SIGTERM back to Node. */
  dispose(): void;
}

/** Exit code of a program that was interrupted, by the custom of shells: 128 + SIGINT. */
const interrupted = 130;

/**
 * Milliseconds within which signals count as one: npm and npx forward a Ctrl-C that the terminal
 * has also sent to every process itself.
 */
const samePress = 300;

/**
 * Take over SIGINT and SIGTERM: the first one aborts `signal`, so that work can be saved; a
 * second one ends the process at once.
 *
 * @param onFirst told about the first signal, to say what happens next.
 * @param later do so only when told to listen. Until then signals end the process, even where
 *   code that never returns to the event loop could not be asked to stop.
 */
export function catchInterrupt(onFirst?: () => void, later = false): Interrupt {
  const controller = new AbortController();
  let first = Infinity;
  const handle = () => {
    if (controller.signal.aborted) {
      if (performance.now() - first > samePress) process.exit(interrupted);
      return;
    }
    first = performance.now();
    onFirst?.();
    controller.abort();
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  const listen = () => {
    for (const name of signals) process.on(name, handle);
  };
  if (!later) listen();
  return {
    listen,
    signal: controller.signal,
    dispose() {
      for (const name of signals) process.off(name, handle);
    },
  };
}
