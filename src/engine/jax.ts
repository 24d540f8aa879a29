/** The jax engine: every step is one call of a jitted function. Slow in Node, at home in browsers. */
import {
  blockUntilReady,
  defaultDevice,
  init,
  jit,
  makeJaxpr,
  numpy as np,
  tree,
} from "@jax-js/jax";
import { jaxDType, leaves } from "./arrays.ts";
import type { ArrayTree, CompileOptions, Program, RunResult, StepDefinition } from "./program.ts";
import { checkRun, runInChunks } from "./run.ts";
import {
  leavesOf,
  mapTree,
  sizeOf,
  tensor,
  typesOf,
  unflattenLike,
  type Tensor,
  type TensorType,
  type Tree,
} from "./tensor.ts";

let ready: Promise<void> | undefined;

/** Start jax-js once: WebGPU where the host has it, WebAssembly elsewhere. */
async function start(): Promise<void> {
  ready ??= init().then((available) => {
    if (available.includes("webgpu")) defaultDevice("webgpu");
  });
  await ready;
}

const toDevice = ({ data, shape, dtype }: Tensor): np.Array =>
  np.array(dtype === "bool" ? Array.from(data, Boolean) : (data as Float32Array<ArrayBuffer>), {
    shape: [...shape],
    dtype: jaxDType[dtype],
  });

const toDeviceTree = (host: Tree<Tensor>): ArrayTree => mapTree(host, toDevice) as ArrayTree;

async function toHost(array: np.Array): Promise<Tensor> {
  const { shape, dtype } = array;
  return tensor(await array.data(), shape, dtype as Tensor["dtype"]);
}

/** This step's slice of a knob: knobs given per step have one axis more than their type. */
function slice(knob: Tensor, type: TensorType, step: number): Tensor {
  if (knob.shape.length === type.shape.length) return knob;
  const size = sizeOf(type.shape);
  return {
    dtype: knob.dtype,
    shape: type.shape,
    data: knob.data.slice(step * size, (step + 1) * size),
  };
}

/** Compile a step for jax-js. `threads` and `provider` do not apply here. */
export async function compileJax(
  definition: StepDefinition,
  _options: CompileOptions = {},
): Promise<Program> {
  const began = performance.now();
  await start();
  const step = jit((carry: ArrayTree, inputs: ArrayTree, knobs: ArrayTree) =>
    definition.step(carry, inputs, knobs),
  );
  // Trace once here: errors of the step belong to compilation, and record types are needed even
  // for a run of no steps.
  const recordTypes = traceRecordTypes(definition);
  const compileMilliseconds = performance.now() - began;
  let disposed = false;

  return {
    engine: "jax",
    device: defaultDevice(),
    compileMilliseconds,
    async run(options): Promise<RunResult> {
      checkRun(definition, options);
      const inputs = toDeviceTree(options.inputs);
      let carry = toDeviceTree(options.carry);
      const carryToHost = async () =>
        unflattenLike(
          definition.carry,
          await Promise.all(leaves(carry).map((leaf) => toHost(leaf.ref))),
        );
      try {
        return await runInChunks(recordTypes, options, async (first, count) => {
          const rows: Tensor[][] = [];
          for (let i = first; i < first + count; i++) {
            const knobLeaves = leavesOf(options.knobs);
            const knobTypes = leavesOf(definition.knobs);
            const knobs = unflattenLike(
              definition.knobs,
              knobLeaves.map((knob, k) => toDevice(slice(knob, knobTypes[k] as TensorType, i))),
            ) as ArrayTree;
            const next = step(carry, tree.ref(inputs), knobs);
            carry = next.carry;
            // jax-js queues lazily: without waiting every step, memory grows without bound.
            await blockUntilReady(carry);
            rows.push(await Promise.all(leaves(next.record).map(toHost)));
          }
          return { carry: await carryToHost(), rows };
        });
      } finally {
        tree.dispose(inputs);
        tree.dispose(carry);
      }
    },
    async dispose() {
      if (!disposed) step.dispose();
      disposed = true;
    },
  };
}

/** Types of a step's record, by abstract evaluation. */
function traceRecordTypes(definition: StepDefinition): Tree<TensorType> {
  let types: Tree<TensorType> | undefined;
  const examples = [definition.carry, definition.inputs, definition.knobs].map((types) =>
    mapTree(types, ({ shape, dtype }) => np.zeros([...shape], { dtype: jaxDType[dtype] })),
  ) as [ArrayTree, ArrayTree, ArrayTree];
  const { jaxpr } = makeJaxpr((carry: ArrayTree, inputs: ArrayTree, knobs: ArrayTree) => {
    const { carry: next, record } = definition.step(carry, inputs, knobs);
    types = tree.map(
      (leaf: np.Array) => ({ dtype: leaf.dtype as TensorType["dtype"], shape: leaf.shape }),
      record,
    ) as Tree<TensorType>;
    return [next, record];
  })(...examples);
  jaxpr.dispose();
  examples.forEach((example) => tree.dispose(example));
  return typesOf(types as Tree<TensorType>);
}
