/** A thread for the tests of threads. */
import { InputError } from "../../src/engine/errors.ts";
import { serve, type Protocol } from "../../src/platform/node/workers.ts";

export interface EchoProtocol extends Protocol {
  readonly setup: { readonly greeting: string };
  readonly task: { readonly kind: "echo" | "fail" | "die" | "wait"; readonly text: string };
  readonly event: string;
  readonly result: string;
}

serve<EchoProtocol>(({ greeting }) => async ({ kind, text }, { emit, signal }) => {
  emit(greeting);
  if (kind === "fail") throw new InputError(text);
  if (kind === "die") process.exit(3);
  if (kind === "wait") {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return "stopped";
  }
  return text;
});
