/** Worker threads that serve one task at a time, with types on both sides. */
import { parentPort, Worker, workerData } from "node:worker_threads";
import { InputError, MachineError } from "../../engine/errors.ts";

export { siblingModule } from "../../engine/worker.ts";

/** What goes to a thread and what comes back. Everything must survive structured cloning. */
export interface Protocol {
  /** Given to the thread when it starts. */
  readonly setup: unknown;
  readonly task: unknown;
  /** Reported while a task runs. */
  readonly event: unknown;
  readonly result: unknown;
}

/** A worker thread, seen from outside. */
export interface Thread<P extends Protocol> {
  /**
   * Run a task; one at a time.
   *
   * @throws what the task threw, or {@link ThreadLost} when the thread ended before the task.
   */
  run(task: P["task"], onEvent?: (event: P["event"]) => void): Promise<P["result"]>;
  /** Whether the thread has ended and takes no more tasks. */
  readonly ended: boolean;
  /** Abort the signal of the running task; it decides what that means. */
  stop(): void;
  /** End the thread, whatever it is doing. */
  close(): Promise<void>;
}

/** A thread ended in the middle of a task: out of memory, or a crash in native code. */
export class ThreadLost extends Error {
  override readonly name = "ThreadLost";
}

type ToThread<P extends Protocol> =
  { readonly kind: "task"; readonly task: P["task"] } | { readonly kind: "stop" };

type FromThread<P extends Protocol> =
  | { readonly kind: "event"; readonly event: P["event"] }
  | { readonly kind: "result"; readonly result: P["result"] }
  | { readonly kind: "error"; readonly name: string; readonly message: string; stack?: string };

/**
 * Start a thread.
 *
 * @param module a module that calls {@link serve}; see {@link siblingModule}.
 */
export function openThread<P extends Protocol>(module: URL, setup: P["setup"]): Thread<P> {
  const worker = new Worker(module, { workerData: setup });
  let ended: ThreadLost | undefined;
  let current:
    | {
        resolve: (result: P["result"]) => void;
        reject: (error: Error) => void;
        onEvent: ((event: P["event"]) => void) | undefined;
      }
    | undefined;
  const end = (reason: string) => {
    ended ??= new ThreadLost(`the worker thread ended: ${reason}`);
    current?.reject(ended);
    current = undefined;
  };
  worker.on("error", (error: Error) => end(error.message));
  worker.on("exit", (code) => end(`exit code ${code}`));
  worker.on("message", (message: FromThread<P>) => {
    if (message.kind === "event") {
      current?.onEvent?.(message.event);
      return;
    }
    const settled = current;
    current = undefined;
    if (message.kind === "result") settled?.resolve(message.result);
    else settled?.reject(revive(message));
  });
  const post = (message: ToThread<P>) => {
    // The rule means windows; threads have no origin.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    worker.postMessage(message);
  };
  return {
    get ended() {
      return ended !== undefined;
    },
    run: (task, onEvent) =>
      new Promise((resolve, reject) => {
        if (ended) {
          reject(ended);
          return;
        }
        if (current) throw new Error("invalid state: the thread already runs a task");
        current = { resolve, reject, onEvent };
        post({ kind: "task", task });
      }),
    stop: () => post({ kind: "stop" }),
    async close() {
      await worker.terminate();
    },
  };
}

/** What a task may use while it runs. */
export interface TaskContext<P extends Protocol> {
  readonly emit: (event: P["event"]) => void;
  /** Aborted by {@link Thread.stop}. */
  readonly signal: AbortSignal;
}

/** In a thread's module: serve tasks with what `start` returns, given the thread's setup. */
export function serve<P extends Protocol>(
  start: (setup: P["setup"]) => (task: P["task"], context: TaskContext<P>) => Promise<P["result"]>,
): void {
  if (parentPort === null)
    throw new Error("invalid state: this module runs in worker threads only");
  const port = parentPort;
  const post = (message: FromThread<P>) => port.postMessage(message);
  const handle = start(workerData as P["setup"]);
  let controller = new AbortController();
  port.on("message", (message: ToThread<P>) => {
    if (message.kind === "stop") {
      controller.abort();
      return;
    }
    controller = new AbortController();
    const { signal } = controller;
    handle(message.task, { signal, emit: (event) => post({ kind: "event", event }) }).then(
      (result) => post({ kind: "result", result }),
      (error: unknown) => {
        const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
        post({ kind: "error", name, message, ...(stack !== undefined && { stack }) });
      },
    );
  });
}

/** Structured cloning forgets the classes of errors; ours decide what callers do. */
function revive({ name, message, stack }: { name: string; message: string; stack?: string }) {
  const kinds = { InputError, MachineError } as const;
  const kind = Object.hasOwn(kinds, name) ? kinds[name as keyof typeof kinds] : Error;
  return Object.assign(new kind(message), { stack: stack ?? message });
}
