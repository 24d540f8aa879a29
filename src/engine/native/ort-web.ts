/**
 * ONNX Runtime in browsers: its plain WebAssembly build, which has kernels for float64; the builds
 * with WebGPU lack them. One thread, so that pages need no headers that isolate them.
 *
 * Bundlers take it under the condition `onnxruntime-web`, which says that the package of that name
 * is installed. Without it browsers run on jax-js.
 */
import { env } from "onnxruntime-web/wasm";

env.wasm.numThreads = 1;

export { InferenceSession, Tensor } from "onnxruntime-web/wasm";

/** As in the package for Node, which this one does not have. */
export const listSupportedBackends = (): { name: string; bundled: boolean }[] => [
  { name: "cpu", bundled: true },
];
