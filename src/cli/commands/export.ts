/** `lucid export`: the training step as a file that ONNX Runtime runs anywhere. */
import type { Command } from "@commander-js/extra-typings";
import { join } from "node:path";
import { InputError, unknownName } from "../../engine/errors.ts";
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
import { castTree } from "../../problems/float64.ts";
import { torchState } from "../../problems/import/torch-names.ts";
import { encodeModel } from "../../run/checkpoint.ts";
import { inferenceModel } from "../../run/inference.ts";
import { addSpecOptions, kebab, refuseWithout, specOf, type SpecFlags } from "../shared/flags.ts";
import { readModel } from "../shared/point.ts";
import type { Terminal } from "../shared/terminal.ts";
import { readFinishedRun } from "../shared/finished-run.ts";

interface ExportFlags extends SpecFlags {
  readonly weights?: string;
  readonly model?: string;
  readonly names?: string;
  readonly out?: string;
  readonly feeds?: string;
}

export function addExport(program: Command, terminal: Terminal): void {
  const command = program
    .command("export")
    .description("Write a training step in its loop as an ONNX model that any ONNX Runtime runs.");
  addSpecOptions(command)
    .optionsGroup("What to write:")
    .addOption(
      option("--out <file>", "the file (default: step.onnx, weights.safetensors, model.onnx)"),
    )
    .addOption(
      option(
        "--feeds <file>",
        "what the run of --steps steps is fed with, as safetensors: tensors by input name",
      ),
    )
    .optionsGroup("Instead of a step, what a finished run has trained:")
    .addOption(option("--weights <run>", "its weights, as safetensors that PyTorch loads"))
    .addOption(option("--names <whose>", "names of the weights: torch or lucid (default: torch)"))
    .addOption(option("--model <run>", "its network, as an ONNX model from samples x to logits"))
    .action((flags: ExportFlags) => {
      const { weights, model } = flags;
      const run = weights ?? model;
      if (run === undefined) {
        refuseWithout("--weights", flags, ["names"]);
        return exportStep(flags, terminal);
      }
      return exportTrained(run, flags, terminal);
    });
}

/** Weights, or the network, of a finished run, in the type that it computed in. */
async function exportTrained(run: string, flags: ExportFlags, terminal: Terminal): Promise<void> {
  const { weights, model: asModel, names = "torch", out, ...others } = flags;
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw new InputError(`invalid --${kebab(other)}: the run says what was trained (leave it out)`);
  }
  if (weights !== undefined && asModel !== undefined) {
    throw new InputError("invalid --model: --weights asks for another file (give one of them)");
  }
  if (names !== "torch" && names !== "lucid") throw unknownName("names", names, ["torch", "lucid"]);
  const { config } = await readFinishedRun(run);
  const { spec } = config;
  const problem = await buildProblem(spec, nodeSources());
  const exact = await readModel(problem, join(run, "final.safetensors"));
  const model = {
    params: castTree(exact.params, spec.dtype),
    statistics: castTree(exact.statistics, spec.dtype),
  };
  if (asModel !== undefined) {
    const file = out ?? "model.onnx";
    if (!file.endsWith(".onnx")) {
      throw new InputError(`invalid out: ${file} (give a file that ends in .onnx)`);
    }
    await writeBytes(file, await inferenceModel(problem, model));
    terminal.out(`${file}: from samples to logits\n`);
    return;
  }
  const file = out ?? "weights.safetensors";
  const bytes =
    names === "lucid"
      ? encodeModel(model)
      : writeSafetensors({ ...torchState(problem, model) }, { format: "pt" });
  await writeBytes(file, bytes);
  terminal.out(
    names === "lucid"
      ? `${file}: weights by their paths here\n`
      : `${file}: model.load_state_dict(safetensors.torch.load_file("${file}"))\n`,
  );
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
