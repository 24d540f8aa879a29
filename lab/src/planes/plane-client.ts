/** The planes' worker as the view uses it: functions that answer with promises. */
import { CancelledError } from "../engine/client.ts";
import { askWorker } from "../shared/requests.ts";
import type { PlaneRequests } from "./protocol.ts";

export type PlaneClient = PlaneRequests & {
  /** End the worker, whatever it computes. */
  cancel(): void;
};

/**
 * A worker, which starts when it is first asked: the first picture must not wait for it. Searches do
 * not yield, so what must be quick has a worker of its own.
 *
 * Promises fail with an `InputError` whose message is one line for the reader, an error of the code
 * writer, or a `CancelledError`.
 */
export function startPlaneWorker(): PlaneClient {
  const worker = askWorker<PlaneRequests>({
    start: () =>
      new Worker(new URL("./plane-worker.ts", import.meta.url), {
        type: "module",
        name: "lucid plane",
      }),
    isLazy: true,
    failure: (reason) => new Error(`missing worker: ${reason} (reload the page)`),
  });
  const ask =
    <Name extends keyof PlaneRequests>(name: Name) =>
    (...given: Parameters<PlaneRequests[Name]>) =>
      worker.ask(name, given) as ReturnType<PlaneRequests[Name]>;
  return {
    scene: ask("scene"),
    search: ask("search"),
    follow: ask("follow"),
    screen: ask("screen"),
    cancel: () => worker.end(new CancelledError("cancelled")),
  };
}
