/**
 * Workers: modules that answer questions on another core, where the platform has threads for them.
 * What they are asked can be done here as well, so that nothing depends on them but time.
 */
import type { Worker as NodeWorker } from "node:worker_threads";

/** A module in a thread of its own, with the types of what it is asked and answers. */
export interface Worker<Question, Answer> {
  /**
   * Ask; questions are answered in turn. What is sent is copied.
   *
   * @throws {WorkerLost} when the thread does not start, or ends before it answers.
   */
  ask(question: Question): Promise<Answer>;
  /** End the thread, whatever it is doing. */
  close(): Promise<void>;
}

/** A thread that did not start, or ended in the middle of a question: its work is to be done here. */
export class WorkerLost extends Error {
  override readonly name = "WorkerLost";
}

type Reply = { readonly answer: unknown } | { readonly failure: string };

/** Node's threads; a browser's workers cannot load what stands in no bundle. */
const threads = () => globalThis.process?.getBuiltinModule?.("node:worker_threads");

/**
 * Start a worker; `undefined` where the platform has no threads.
 *
 * @param url `import.meta.url` of the caller.
 * @param name of the module beside it, without its extension; it calls {@link answer}.
 */
export function openWorker<Question, Answer>(
  url: string,
  name: string,
): Worker<Question, Answer> | undefined {
  const node = threads();
  if (node === undefined) return undefined;
  const worker = new node.Worker(siblingModule(url, name));
  // It keeps nobody waiting: who asked waits for the answer.
  worker.unref();
  return overChannel(worker);
}

function overChannel<Question, Answer>(worker: NodeWorker): Worker<Question, Answer> {
  const waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void }[] = [];
  let lost: WorkerLost | undefined;
  const end = (reason: string) => {
    lost ??= new WorkerLost(`the worker thread ended: ${reason}`);
    for (const { reject } of waiting.splice(0)) reject(lost);
  };
  worker.on("error", (error: Error) => end(error.message));
  worker.on("exit", (code) => end(`exit code ${code}`));
  worker.on("message", (reply: Reply) => {
    const first = waiting.shift();
    if (waiting.length === 0) worker.unref();
    if ("answer" in reply) first?.resolve(reply.answer as Answer);
    else first?.reject(new Error(reply.failure));
  });
  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        if (lost) {
          reject(lost);
          return;
        }
        worker.ref();
        waiting.push({ resolve, reject });
        // The rule means windows; threads have no origin.
        // oxlint-disable-next-line unicorn/require-post-message-target-origin
        worker.postMessage(question);
      }),
    async close() {
      await worker.terminate();
    },
  };
}

/** In a worker's module: answer questions, one after the other. */
export function answer(handle: (question: never) => Promise<unknown>): void {
  const port = threads()?.parentPort;
  if (!port) throw new Error("invalid state: this module runs in worker threads only");
  const send = (reply: Reply) => port.postMessage(reply);
  let last: Promise<void> = Promise.resolve();
  port.on("message", (question: unknown) => {
    last = last.then(async () => {
      try {
        send({ answer: await handle(question as never) });
      } catch (error) {
        send({ failure: error instanceof Error ? error.message : String(error) });
      }
    });
  });
}

/** The module `name` beside the one of `url`, as source or as built. */
export const siblingModule = (url: string, name: string): URL =>
  new URL(`./${name}${url.slice(url.lastIndexOf("."))}`, url);
