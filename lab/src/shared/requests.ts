/** Requests to a worker: functions asked across the border, each answered once. */
import { InputError, MachineError } from "lucid-sam/engine";

/** A function for each request: what it is given and what it answers, at once or later. */
type Functions<Requests> = {
  readonly [Name in keyof Requests]: (...given: never[]) => unknown;
};

/** A request as it is sent. */
export type Request<Requests extends Functions<Requests>> = {
  readonly [Name in keyof Requests]: {
    readonly id: number;
    readonly name: Name;
    readonly given: Parameters<Requests[Name]>;
  };
}[keyof Requests];

/** What a worker says last of a request. */
export type Answer =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: { readonly name: string; readonly message: string } };

interface AskingOptions<Told> {
  /** Bundlers want `new Worker(new URL(…), …)` to stand where the file is named. */
  readonly start: () => Worker;
  /** Start with the first request instead of at once. */
  readonly isLazy?: boolean;
  /** What promises fail with once the worker failed. */
  readonly failure: (reason: string) => Error;
  /** Told what the worker says of no request. */
  readonly onNews?: (told: Told) => void;
}

/** A worker that can be asked. */
export interface Asking<Requests extends Functions<Requests>, Told> {
  /** Promises fail with an `InputError` or `MachineError` for the reader, or with what ended the worker. */
  readonly ask: <Name extends keyof Requests>(
    name: Name,
    given: Parameters<Requests[Name]>,
    onTold?: (told: Told) => void,
  ) => Promise<Awaited<ReturnType<Requests[Name]>>>;
  /** End the worker. What waits, and whatever is asked later, fails with the error, if there is one. */
  readonly end: (error?: Error) => void;
}

/** Ask a worker that answers by {@link answerRequests}; `Told` is what else it says. */
export function askWorker<Requests extends Functions<Requests>, Told = never>({
  start,
  isLazy = false,
  failure,
  onNews,
}: AskingOptions<Told>): Asking<Requests, Told> {
  const waiting = new Map<
    number,
    {
      done(answer: never): void;
      fail(error: Error): void;
      told?: ((told: Told) => void) | undefined;
    }
  >();
  let last = 0;
  let worker: Worker | undefined;
  let ended: Error | undefined;

  const end = (error?: Error) => {
    ended ??= error;
    worker?.terminate();
    if (ended === undefined) return;
    for (const request of waiting.values()) request.fail(ended);
    waiting.clear();
  };

  const open = (): Worker => {
    const started = start();
    started.addEventListener("message", ({ data }: MessageEvent<Answer | Told>) => {
      if (!isOfRequest(data)) {
        onNews?.(data);
        return;
      }
      const request = waiting.get(data.id);
      if (request === undefined) return;
      if (!("answer" in data || "error" in data)) {
        request.told?.(data);
        return;
      }
      waiting.delete(data.id);
      if ("error" in data) request.fail(errorOf(data.error));
      else request.done(data.answer as never);
    });
    started.addEventListener("error", ({ message }) => end(failure(message || "it did not load")));
    return started;
  };
  if (!isLazy) worker = open();

  return {
    ask: (name, given, told) =>
      new Promise((done, fail) => {
        if (ended) {
          fail(ended);
          return;
        }
        const id = ++last;
        waiting.set(id, { done, fail, told });
        worker ??= open();
        // A worker has no origin of its own.
        // oxlint-disable-next-line unicorn/require-post-message-target-origin
        worker.postMessage({ id, name, given });
      }),
    end,
  };
}

const isOfRequest = <Told>(
  data: Answer | Told,
): data is (Answer | Told) & { readonly id: number } =>
  typeof data === "object" && data !== null && "id" in data;

/** Errors keep their kind across the border: messages of the first two are made for readers. */
function errorOf({ name, message }: { readonly name: string; readonly message: string }): Error {
  if (name === "InputError") return new InputError(message);
  if (name === "MachineError" || name === "MissingEngineError" || name === "UnsupportedError") {
    return new MachineError(message);
  }
  return new Error(message);
}

/** In a worker: answer every request, by what `answer` returns, promises, or throws. */
export function answerRequests<Requests extends Functions<Requests>>(
  answer: (request: Request<Requests>) => unknown,
): void {
  const tell = (reply: Answer) => postMessage(reply);
  addEventListener("message", ({ data }: MessageEvent<Request<Requests>>) => {
    const { id } = data;
    // A promise even where an answer throws at once.
    Promise.resolve(data)
      .then(answer)
      .then(
        (result) => tell({ id, answer: result }),
        (error: unknown) => {
          const { name, message } = error instanceof Error ? error : new Error(String(error));
          tell({ id, error: { name, message } });
        },
      );
  });
}
