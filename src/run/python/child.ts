/** A Python process at the other end of a pipe: it is asked, answers, and may fail in every way. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { InputError, MachineError } from "../../engine/errors.ts";
import { fileURLToPath } from "node:url";
import type { Vector } from "../../diagnostics/algebra/vectors.ts";

/** What an answer says beside its numbers. */
export interface Answer {
  readonly head: { readonly [name: string]: unknown };
  readonly floats: Vector;
}

/** A process that answers one question at a time. */
export interface Child {
  ask(
    question: { readonly op: string; readonly [name: string]: unknown },
    floats?: Vector,
  ): Promise<Answer>;
  /** The first answer, which is given unasked. */
  hello(): Promise<Answer>;
  close(): Promise<void>;
}

export interface ChildOptions {
  /** Name or path of the interpreter. */
  readonly interpreter: string;
  /** What errors call the user's file. */
  readonly file: string;
  /** Arguments of serve.py. */
  readonly args: readonly string[];
  /** Seconds of silence after which the process counts as hanging. */
  readonly timeout: number;
  /** Told the lines that the process prints. */
  readonly onPrint?: ((line: string) => void) | undefined;
  /** Told the step of a long computation. */
  readonly onStep?: ((step: number) => void) | undefined;
}

/** The Python package is shipped as it is, beside `src` and `dist`. */
export const pythonFolder = fileURLToPath(new URL("../../../python/lucid_sam", import.meta.url));

/**
 * Start the server of `python/lucid_sam/serve.py`.
 *
 * @throws {InputError} when there is no such interpreter.
 * @throws {MachineError} from every question, in one line, when the process has no torch, the
 *   user's code fails, or the process is ended or hangs.
 */
export function startChild(options: ChildOptions): Child {
  const { interpreter, file, args, timeout, onPrint, onStep } = options;
  const child = spawn(interpreter, [`${pythonFolder}/serve.py`, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1", PYTHONUNBUFFERED: "1" },
    windowsHide: true,
  });
  let failure: Error | undefined;
  let notice: (() => void) | undefined;
  const chunks: Buffer[] = [];
  let [length, offset] = [0, 0];
  const fail = (error: Error) => {
    failure ??= error;
    notice?.();
  };
  child.on("error", (error: NodeJS.ErrnoException) => {
    fail(
      error.code === "ENOENT"
        ? new InputError(
            `unknown interpreter ${interpreter} (give one that has torch: --interpreter .venv/bin/python)`,
          )
        : new MachineError(`invalid interpreter ${interpreter}: ${error.message}`),
    );
  });
  // The process may be gone; its end says so.
  child.stdin.on("error", () => undefined);
  child.stdout.on("data", (data: Buffer) => {
    chunks.push(data);
    length += data.length;
    notice?.();
  });
  createInterface({ input: child.stderr }).on("line", (line) => onPrint?.(line));
  child.on("close", (code, signal) => {
    const how =
      signal === null
        ? `ended with exit code ${code}`
        : `was ended by ${signal}${signal === "SIGKILL" ? ", as where memory is short (--at-once takes less)" : ""}`;
    fail(new MachineError(`invalid state of ${file}: its Python process ${how}`));
  });

  /** Wait for something new. */
  const more = async () => {
    if (failure !== undefined) throw failure;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        notice = resolve;
        timer = setTimeout(() => {
          child.kill("SIGKILL");
          reject(
            new MachineError(
              `invalid state of ${file}: its Python process has not answered for ${timeout} s (--timeout waits longer)`,
            ),
          );
        }, 1000 * timeout);
      });
    } finally {
      clearTimeout(timer);
      notice = undefined;
    }
    if (failure !== undefined && length === 0) throw failure;
  };
  /** Copy the next bytes into `into`. */
  const take = async (into: Uint8Array) => {
    for (let at = 0; at < into.length;) {
      while (length === 0) await more();
      const [first = Buffer.alloc(0)] = chunks;
      const piece = first.subarray(offset, offset + into.length - at);
      into.set(piece, at);
      at += piece.length;
      offset += piece.length;
      length -= piece.length;
      if (offset === first.length) {
        chunks.shift();
        offset = 0;
      }
    }
  };
  const line = async (): Promise<string> => {
    const bytes: number[] = [];
    const one = new Uint8Array(1);
    for (;;) {
      await take(one);
      if (one[0] === 10) return new TextDecoder().decode(Uint8Array.from(bytes));
      bytes.push(one[0] as number);
    }
  };
  const answer = async (): Promise<Answer> => {
    for (;;) {
      const head = JSON.parse(await line()) as { readonly [name: string]: unknown };
      if (head["alive"] === true) {
        if (typeof head["step"] === "number") onStep?.(head["step"]);
        continue;
      }
      if (typeof head["missing"] === "string") {
        throw new MachineError(
          `missing torch: ${head["missing"]} (give an interpreter that has it: --interpreter .venv/bin/python)`,
        );
      }
      if (typeof head["error"] === "string") {
        throw new MachineError(`invalid file ${file}: ${head["error"]}`);
      }
      const floats = new Float64Array(Number(head["floats"] ?? 0));
      await take(new Uint8Array(floats.buffer));
      return { head, floats };
    }
  };
  const write = async (bytes: Uint8Array | string) => {
    if (!child.stdin.write(bytes) && failure === undefined) {
      await Promise.race([once(child.stdin, "drain"), once(child, "close")]);
    }
  };
  return {
    hello: answer,
    async ask(question, floats = new Float64Array()) {
      if (failure !== undefined) throw failure;
      await write(`${JSON.stringify({ ...question, floats: floats.length })}\n`);
      if (floats.length > 0) {
        await write(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength));
      }
      return answer();
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      // It ends when its input does; what is under way need not be waited for.
      child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), 1000);
      await once(child, "close");
      clearTimeout(timer);
    },
  };
}
