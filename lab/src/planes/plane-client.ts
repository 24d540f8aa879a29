/** The planes' worker as the view uses it: functions that answer with promises. */
import { InputError } from "lucid-sam/engine";
import { CancelledError } from "../engine/client.ts";
import type { PlaneReply, PlaneRequests } from "./protocol.ts";

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
  const waiting = new Map<number, { done(answer: unknown): void; fail(error: Error): void }>();
  let last = 0;
  let worker: Worker | undefined;
  let ended: Error | undefined;
  const end = (error: Error) => {
    ended ??= error;
    worker?.terminate();
    for (const request of waiting.values()) request.fail(ended);
    waiting.clear();
  };
  const start = (): Worker => {
    const started = new Worker(new URL("./plane-worker.ts", import.meta.url), {
      type: "module",
      name: "lucid plane",
    });
    started.addEventListener("message", ({ data }: MessageEvent<PlaneReply>) => {
      const request = waiting.get(data.id);
      waiting.delete(data.id);
      if (request === undefined) return;
      if (!("error" in data)) request.done(data.answer);
      else {
        const { name, message } = data.error;
        request.fail(name === "InputError" ? new InputError(message) : new Error(message));
      }
    });
    started.addEventListener("error", ({ message }) =>
      end(new Error(`missing worker: ${message || "it did not load"} (reload the page)`)),
    );
    return started;
  };
  const ask =
    <Name extends keyof PlaneRequests>(name: Name) =>
    (...given: Parameters<PlaneRequests[Name]>) =>
      new Promise((done, fail) => {
        if (ended) {
          fail(ended);
          return;
        }
        const id = ++last;
        waiting.set(id, { done, fail });
        worker ??= start();
        // A worker has no origin of its own.
        // oxlint-disable-next-line unicorn/require-post-message-target-origin
        worker.postMessage({ id, name, given });
      }) as ReturnType<PlaneRequests[Name]>;
  return {
    scene: ask("scene"),
    search: ask("search"),
    follow: ask("follow"),
    screen: ask("screen"),
    cancel: () => end(new CancelledError("cancelled")),
  };
}
