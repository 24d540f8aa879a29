/** `lucid export`: the training step as a file that ONNX Runtime runs anywhere. */
import type { Command } from "@commander-js/extra-typings";
import { InputError } from "../../engine/errors.ts";
import { writeSafetensors } from "../../engine/safetensors.ts";
import {
  leavesWithPaths,
  scalarTensor,
  sizeOf,
  tensor,
  type Tensor,
  type TensorType,
  type Tree,
} from "../../engine/tensor.ts";
import { writeBytes } from "../../platform/node/files.ts";
import { trainingStep } from "../../sam/training/step.ts";
import { compileTraining } from "../../sam/training/training.ts";
import { buildMethod, buildProblem } from "../../run/build.ts";
import { nodeSources } from "../../run/node-sources.ts";
import { option } from "../shared/arguments.ts";
import { addSpecOptions, specOf, type SpecFlags } from "../shared/flags.ts";
import type { Terminal } from "../shared/terminal.ts";

interface ExportFlags extends SpecFlags {
  readonly out?: string;
  readonly feeds?: string;
}

export function addExport(program: Command, terminal: Terminal): void {
  const command = program
    .command("export")
    .description("Write a training step in its loop as an ONNX model that any ONNX Runtime runs.");
  addSpecOptions(command)
    .optionsGroup("What to write:")
    .addOption(option("--out <file>", "the model (default: step.onnx)"))
    .addOption(
      option(
        "--feeds <file>",
        "what the run of --steps steps is fed with, as safetensors: tensors by input name",
      ),
    )
    .action((flags: ExportFlags) => exportStep(flags, terminal));
}

async function exportStep(flags: ExportFlags, terminal: Terminal): Promise<void> {
  const { out = "step.onnx", feeds } = flags;
  const spec = specOf(flags);
  if (!out.endsWith(".onnx")) {
    throw new InputError(`invalid out: ${out} (give a file that ends in .onnx)`);
  }
  const problem = await buildProblem(spec, nodeSources());
  const what = { problem, method: buildMethod(spec), batchSize: spec.batch } as const;
  const training = await compileTraining({ ...what, engine: "native" });
  try {
    await writeBytes(out, training.program.toOnnx?.() ?? new Uint8Array());
    terminal.out(`${out}: the step, in a loop of \`steps\` steps\n`);
    if (feeds === undefined) return;
    const { carry, inputs, knobs, steps } = training.feeds(spec);
    const named = {
      ...byName(carry, "carry"),
      ...byName(inputs, "inputs"),
      ...withStepAxis(byName(knobs, "knobs"), trainingStep(what).knobs),
      steps: scalarTensor(steps, "int32"),
    };
    await writeBytes(feeds, writeSafetensors(named));
    terminal.out(`${feeds}: its inputs for ${steps} steps; pass \`steps\` as int64\n`);
  } finally {
    await training.dispose();
  }
}

const byName = (tree: Tree<Tensor>, part: string): { [name: string]: Tensor } =>
  Object.fromEntries(leavesWithPaths(tree, part));

/** The model takes every knob with an axis of steps: 1 long where a knob is held. */
function withStepAxis(knobs: { [name: string]: Tensor }, types: Tree<TensorType>) {
  return Object.fromEntries(
    leavesWithPaths(types, "knobs").map(([name, { shape, dtype }]) => {
      const { data } = knobs[name] as Tensor;
      return [name, tensor(data, [data.length / sizeOf(shape), ...shape], dtype)];
    }),
  );
}
