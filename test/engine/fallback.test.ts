/** `auto` where the run time of the native engine does not load. */
import { expect, test, vi } from "vitest";
import { compile, engineChoices, engineNames, MachineError } from "../../src/engine/index.ts";
import type { StepDefinition } from "../../src/engine/program.ts";
import { scalarTensor } from "../../src/engine/tensor.ts";

vi.mock("#ort", () => {
  throw new Error("libonnxruntime.so.1: cannot open shared object file\nand more lines");
});

const definition: StepDefinition = {
  step: (carry) => ({ carry, record: {} }),
  carry: scalarTensor(1, "float32"),
  inputs: {},
  knobs: {},
};

test("auto runs on jax and says why in one line", async () => {
  const said: string[] = [];
  const program = await compile(definition, { onFallback: (line) => said.push(line) });
  expect(program.engine).toBe("jax");
  await program.dispose();
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/^missing native engine: [^\n]+; running on the jax engine$/);
});

test("native refuses, with a remedy", async () => {
  const failing = compile(definition, { engine: "native" });
  await expect(failing).rejects.toBeInstanceOf(MachineError);
  await expect(failing).rejects.toThrow(/^missing native engine: .*npm ci .*--engine jax/);
});

test("a name that is no engine is refused with those that are", async () => {
  expect(engineChoices).toEqual(["auto", ...engineNames]);
  expect(engineNames).toEqual(["native", "jax"]);
  const failing = compile(definition, { engine: "tpu" as "auto" });
  await expect(failing).rejects.toThrow('unknown engine "tpu" (choose from auto, native, jax)');
});
