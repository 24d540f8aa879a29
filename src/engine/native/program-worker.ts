/** The worker of a program's twin: a session of ONNX Runtime in a thread of its own. */
import { loadRuntime } from "./runtime.ts";
import { loadProgram, type CompiledModel, type ProgramTypes } from "./session.ts";
import type { Program, ProgramResult, ProgramRun } from "../program.ts";
import { answer } from "../worker.ts";

export type ProgramQuestion =
  | { readonly kind: "open"; readonly model: CompiledModel; readonly types: ProgramTypes }
  | ({ readonly kind: "run" } & Pick<ProgramRun, "carry" | "inputs" | "knobs" | "steps">);

/** Where a run ended; nothing once the program is open. */
export type ProgramAnswer = ProgramResult | undefined;

let program: Program | undefined;

answer(async (question: ProgramQuestion): Promise<ProgramAnswer> => {
  if (question.kind === "run") return program?.run(question);
  const { types, model } = question;
  program = await loadProgram(await loadRuntime(), types, model, {}, performance.now());
  return undefined;
});
