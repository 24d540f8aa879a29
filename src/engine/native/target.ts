/** Targets: what models are written for on this machine, by provider, found out by running a small one. */
import type { CompileOptions } from "../program.ts";
import { nodeMessage, modelBytes, valueMessage } from "./onnx/messages.ts";
import { portable, type Target } from "./onnx/layout.ts";
import { intoImages } from "./onnx/blocks.ts";
import type { Runtime } from "./runtime.ts";

/** What a provider's models are written for. */
export async function targetOf(
  runtime: Runtime,
  provider: NonNullable<CompileOptions["provider"]>,
): Promise<Target> {
  // Other processors have neither blocked convolutions nor a liking for many small groups.
  if (provider !== "cpu") return { groupedConvolutions: false };
  return { ...portable, block: await (block ??= probeBlock(runtime)) };
}

/** Of this machine, once it is known. */
let block: Promise<number | undefined> | undefined;

/**
 * Channels per block of the run time's convolutions: an image of one channel is padded to a whole
 * block when it is put in order. `undefined` where ONNX Runtime has no such operators.
 */
async function probeBlock(runtime: Runtime): Promise<number | undefined> {
  const shape = [1, 8, 1, 1];
  const model = modelBytes({
    name: "block",
    node: [nodeMessage(intoImages, ["x"], ["y"])],
    input: [valueMessage("x", { dtype: "float32", shape })],
    output: [valueMessage("y", { dtype: "float32", shape: [1, -1, 1, 1] })],
  });
  try {
    const session = await runtime.InferenceSession.create(model, { logSeverityLevel: 4 });
    const x = new runtime.Tensor("float32", new Float32Array(8), shape);
    const { y } = await session.run({ x });
    await session.release();
    const side = y?.dims[1];
    return side !== undefined && side >= 8 ? side : undefined;
  } catch {
    return undefined;
  }
}
