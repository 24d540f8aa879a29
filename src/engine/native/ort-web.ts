/**
 * ONNX Runtime in browsers: its plain WebAssembly build, which has kernels for float64; the builds
 * with WebGPU lack them. One thread, so that pages need no headers that isolate them.
 *
 * Bundlers take it under the condition `onnxruntime-web`, which says that the package of that name
 * is installed. Without it browsers run on jax-js.
 */
import { env, InferenceSession as Session } from "onnxruntime-web/wasm";
import { MissingEngineError } from "../program.ts";

env.wasm.numThreads = 1;

/** Threads that there are. */
export const mostThreads: number = 1;

/** Why the WebAssembly did not load: it is fetched with the first session, and tried once. */
let failure: MissingEngineError | undefined;

export const InferenceSession = {
  /** @throws {MissingEngineError} where the WebAssembly does not load. */
  async create(model: Uint8Array, options: Session.SessionOptions = {}): Promise<Session> {
    if (failure) throw failure;
    try {
      return await Session.create(model, options);
    } catch (error) {
      const [reason = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
      if (!reason.startsWith("no available backend")) throw error;
      failure = new MissingEngineError(
        "native",
        `ONNX Runtime's WebAssembly does not load here: ${reason.replace(/^.*?ERR: \[wasm\] /, "")} (reload the page)`,
      );
      throw failure;
    }
  },
};

export { Tensor } from "onnxruntime-web/wasm";

/** As in the package for Node, which this one does not have. */
export const listSupportedBackends = (): { name: string; bundled: boolean }[] => [
  { name: "cpu", bundled: true },
];
