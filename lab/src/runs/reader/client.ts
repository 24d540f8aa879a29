/** The reader as the page uses it: a worker that reads files, so that long studies freeze nothing. */
import { InputError } from "lucid-sam/engine";
import type { News, Reply, RequestName, Requests } from "./protocol.ts";

/** Asks the reader; promises fail with one line for the person. */
export type Reader = {
  readonly [Name in RequestName]: (
    ...given: Parameters<Requests[Name]>
  ) => Promise<ReturnType<Requests[Name]>>;
} & {
  /** End the worker. */
  close(): void;
};

/** Start a reader; `onNews` is told what nobody asked for. */
export function startReader(onNews: (news: News) => void): Reader {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), {
    type: "module",
    name: "lucid reader",
  });
  const waiting = new Map<number, { done(answer: unknown): void; fail(error: Error): void }>();
  let last = 0;
  worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => {
    if ("news" in data) {
      onNews(data.news);
      return;
    }
    const request = waiting.get(data.id);
    waiting.delete(data.id);
    if ("answer" in data) request?.done(data.answer);
    else if (data.error.name === "InputError") request?.fail(new InputError(data.error.message));
    else request?.fail(new Error(data.error.message));
  });
  worker.addEventListener("error", ({ message }) => {
    const reason = message || "it did not load";
    for (const request of waiting.values()) {
      request.fail(new Error(`missing reader: its worker failed: ${reason} (reload the page)`));
    }
    waiting.clear();
  });
  const ask =
    <Name extends RequestName>(name: Name) =>
    (...given: Parameters<Requests[Name]>) =>
      new Promise<ReturnType<Requests[Name]>>((done, fail) => {
        const id = ++last;
        waiting.set(id, { done, fail });
        // A worker has no origin of its own.
        // oxlint-disable-next-line unicorn/require-post-message-target-origin
        worker.postMessage({ id, name, given });
      });
  return {
    take: ask("take"),
    forget: ask("forget"),
    follow: ask("follow"),
    open: ask("open"),
    history: ask("history"),
    row: ask("row"),
    material: ask("material"),
    close: () => worker.terminate(),
  };
}
