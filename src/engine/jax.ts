/** The jax engine: a program whose every step is one call of a jitted function. Slow in Node, at home in browsers. */
import { blockUntilReady, defaultDevice, init, jit, numpy as np, type Device } from "@jax-js/jax";
import { hostDType, jaxDType } from "./arrays.ts";
import { keepingNumbers } from "./precision.ts";
import type { CompileOptions, Program, StepDefinition } from "./program.ts";
import { checkRun, runInChunks, type ChunkSize } from "./run.ts";
import { leavesOf, sizeOf, tensor, unflattenLike, type Tensor } from "./tensor.ts";
import { traceStep } from "./trace.ts";

let ready: Promise<void> | undefined;

/** Start jax-js once: WebGPU where the host has it, WebAssembly elsewhere. */
async function start(): Promise<void> {
  ready ??= init().then((available) => {
    if (available.includes("webgpu")) defaultDevice("webgpu");
  });
  await ready;
}

/**
 * In float64 steps run on jax-js's interpreter: its WebAssembly (0.1.25) computes sin, cos, exp
 * and their kin to float32 accuracy even there.
 */
const deviceFor = (isFloat64: boolean): Device => (isFloat64 ? "cpu" : defaultDevice());

function toDevice({ data, shape, dtype }: Tensor, device: Device): np.Array {
  const values =
    dtype === "bool"
      ? Array.from(data, Boolean)
      : dtype === "uint8"
        ? Int32Array.from(data)
        : (data as Float32Array<ArrayBuffer>);
  return np.array(values, { shape: [...shape], dtype: jaxDType[dtype], device });
}

async function toHost(array: np.Array): Promise<Tensor> {
  const { shape, dtype } = array;
  return tensor(await array.data(), shape, hostDType(dtype));
}

const toHosts = (arrays: readonly np.Array[]) => Promise.all(arrays.map(toHost));
const share = (arrays: readonly np.Array[]) => arrays.map((array) => array.ref);

/** Compile a step for jax-js. `threads` and `provider` do not apply here. */
export async function compileJax(
  definition: StepDefinition,
  _options: CompileOptions = {},
): Promise<Program> {
  const began = performance.now();
  await start();
  // Trace once here: errors of the step belong to compilation, and the record's types are needed
  // even for a run of no steps.
  const { flat, recordTypes, isFloat64 } = await traceStep(definition);
  const knobTypes = leavesOf(definition.knobs);
  const device = deviceFor(isFloat64);
  const jitted = jit(flat.run);
  // The first call traces again.
  const step = (...args: np.Array[]): np.Array[] =>
    isFloat64 ? keepingNumbers(() => jitted(...args)) : jitted(...args);
  const put = (host: Tensor) => toDevice(host, device);
  const compileMilliseconds = performance.now() - began;
  const size: ChunkSize = { steps: 1 };
  let disposed = false;

  return {
    engine: "jax",
    device,
    compileMilliseconds,
    async run(options) {
      checkRun(definition, options);
      const inputs = leavesOf(options.inputs).map(put);
      const knobs = leavesOf(options.knobs);
      let carry = leavesOf(options.carry).map(put);
      const runSteps = async (first: number, count: number) => {
        const rows: Tensor[][] = [];
        for (let i = first; i < first + count; i++) {
          const slices = knobs.map((knob, k) => put(slice(knob, rankOf(k), i)));
          const results = step(...carry, ...share(inputs), ...slices);
          carry = results.slice(0, flat.carryCount);
          // jax-js queues lazily: without waiting every step, memory grows without bound.
          await blockUntilReady(carry);
          rows.push(await toHosts(results.slice(flat.carryCount)));
        }
        return { carry: unflattenLike(definition.carry, await toHosts(share(carry))), rows };
      };
      const rankOf = (k: number) => knobTypes[k]?.shape.length;
      try {
        return await runInChunks(recordTypes, options, runSteps, size);
      } finally {
        [...inputs, ...carry].forEach((array) => array.dispose());
      }
    },
    async dispose() {
      if (!disposed) jitted.dispose();
      disposed = true;
    },
  };
}

/** One step's slice of a knob: knobs given per step have one axis more than their type. */
function slice(knob: Tensor, rank: number | undefined, step: number): Tensor {
  if (knob.shape.length === rank) return knob;
  const shape = knob.shape.slice(1);
  const size = sizeOf(shape);
  return { dtype: knob.dtype, shape, data: knob.data.slice(step * size, (step + 1) * size) };
}
