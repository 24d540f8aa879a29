/** The reader as the page uses it: a worker that reads files, so that long studies freeze nothing. */
import { askWorker } from "../../shared/requests.ts";
import type { News, Requests } from "./protocol.ts";

/** Asks the reader; promises fail with one line for the person. */
export type Reader = {
  readonly [Name in keyof Requests]: (
    ...given: Parameters<Requests[Name]>
  ) => Promise<ReturnType<Requests[Name]>>;
} & {
  /** End the worker. */
  close(): void;
};

/** Start a reader; `onNews` is told what nobody asked for. */
export function startReader(onNews: (news: News) => void): Reader {
  const worker = askWorker<Requests, { readonly news: News }>({
    start: () =>
      new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "lucid reader" }),
    failure: (reason) =>
      new Error(`missing reader: its worker failed: ${reason} (reload the page)`),
    onNews: ({ news }) => onNews(news),
  });
  const ask =
    <Name extends keyof Requests>(name: Name) =>
    (...given: Parameters<Requests[Name]>) =>
      worker.ask(name, given) as Promise<ReturnType<Requests[Name]>>;
  return {
    take: ask("take"),
    forget: ask("forget"),
    follow: ask("follow"),
    open: ask("open"),
    history: ask("history"),
    row: ask("row"),
    material: ask("material"),
    close: () => worker.end(),
  };
}
