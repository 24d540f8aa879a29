import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const module = fileURLToPath(new URL("interrupt.ts", import.meta.url));

/** A program that works for ever, with what it does when it is asked to stop. */
const program = (onAbort: string) => `
  import { catchInterrupt } from ${JSON.stringify(module)};
  const { signal, dispose } = catchInterrupt(() => console.log("asked to stop"));
  const work = setInterval(() => {}, 1000);
  signal.addEventListener("abort", () => { ${onAbort} });
  console.log("ready");
`;

const save = 'clearInterval(work); console.log("saved");';

/** Run a program and send it the signals, one after each line but the request itself. */
async function run(onAbort: string, signals: NodeJS.Signals[]) {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program(onAbort)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines: string[] = [];
  createInterface(child.stdout).on("line", (line) => {
    lines.push(line);
    const next = line === "asked to stop" ? undefined : signals.shift();
    if (next !== undefined) child.kill(next);
  });
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { lines, code, signal };
}

test.each(["SIGINT", "SIGTERM"] as const)("the first %s asks to stop", async (name) => {
  const end = await run(save, [name]);
  expect(end).toEqual({ lines: ["ready", "asked to stop", "saved"], code: 0, signal: null });
});

test("the same Ctrl-C arriving twice still only asks", async () => {
  const end = await run(`${save} process.emit("SIGINT");`, ["SIGINT"]);
  expect(end).toEqual({ lines: ["ready", "asked to stop", "saved"], code: 0, signal: null });
});

test("a second signal stops at once", async () => {
  const slow = 'setTimeout(() => console.log("still saving"), 400);';
  const end = await run(slow, ["SIGINT", "SIGTERM"]);
  expect(end).toEqual({
    lines: ["ready", "asked to stop", "still saving"],
    code: 130,
    signal: null,
  });
});

test("after dispose a signal ends the program as usual", async () => {
  const end = await run('dispose(); console.log("disposed");', ["SIGINT", "SIGINT"]);
  expect(end).toEqual({
    lines: ["ready", "asked to stop", "disposed"],
    code: null,
    signal: "SIGINT",
  });
});
