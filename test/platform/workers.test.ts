import { afterEach, expect, test } from "vitest";
import { InputError } from "../../src/engine/errors.ts";
import {
  openThread,
  siblingModule,
  ThreadLost,
  type Thread,
} from "../../src/platform/node/workers.ts";
import type { EchoProtocol } from "./echo-thread.ts";

let thread: Thread<EchoProtocol>;
const open = () => {
  thread = openThread<EchoProtocol>(siblingModule(import.meta.url, "echo-thread"), {
    greeting: "hello",
  });
  return thread;
};
afterEach(() => thread.close());

test("a thread serves one task after the other and reports on the way", async () => {
  const events: string[] = [];
  open();
  for (const text of ["a", "b"]) {
    expect(await thread.run({ kind: "echo", text }, (event) => events.push(event))).toBe(text);
  }
  expect(events).toEqual(["hello", "hello"]);
});

test("our errors keep their class on the way out", async () => {
  open();
  const failure = thread.run({ kind: "fail", text: "invalid x" });
  await expect(failure).rejects.toThrow(InputError);
  await expect(failure).rejects.toThrow("invalid x");
  expect(await thread.run({ kind: "echo", text: "still there" })).toBe("still there");
});

test("a stop reaches the running task and not the next one", async () => {
  open();
  const waiting = thread.run({ kind: "wait", text: "" }, () => thread.stop());
  expect(await waiting).toBe("stopped");
  thread.stop();
  expect(await thread.run({ kind: "echo", text: "next" })).toBe("next");
});

test("a thread that dies takes its task with it, and nothing else", async () => {
  open();
  await expect(thread.run({ kind: "die", text: "" })).rejects.toThrow(ThreadLost);
  expect(thread.ended).toBe(true);
  await expect(thread.run({ kind: "echo", text: "" })).rejects.toThrow("exit code 3");
});
