/** `lucid python`: the recorders for PyTorch, how to use them, and a copy to import. */
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { Command } from "@commander-js/extra-typings";
import { makeFolder, readBytes, writeBytes } from "../../platform/node/files.ts";
import { pythonFolder } from "../../run/python/child.ts";
import { option } from "../shared/arguments.ts";
import type { Terminal } from "../shared/terminal.ts";

export function addPython(program: Command, terminal: Terminal): void {
  program
    .command("python")
    .description("Print how to record a PyTorch run, and copy the Python package that does it.")
    .addOption(option("--write <folder>", "copy lucid_sam into this folder"))
    .action(({ write }) => python(write, terminal));
}

async function python(folder: string | undefined, terminal: Terminal): Promise<void> {
  if (folder === undefined) {
    terminal.out(usage);
    return;
  }
  const into = join(folder, "lucid_sam");
  await makeFolder(into);
  const names = (await readdir(pythonFolder)).filter((name) => /\.(py|typed)$/.test(name));
  for (const name of names)
    await writeBytes(join(into, name), await readBytes(join(pythonFolder, name)));
  terminal.err.write(
    `${into}: ${names.length} files; \`from lucid_sam import Probe\` finds them from ${dirname(into)}\n`,
  );
}

const usage = `lucid_sam records a PyTorch run for lucid. It needs torch 1.13 or newer and nothing else.

  lucid python --write .          copies it into this folder

Three lines in the training script:

  from lucid_sam import Probe
  probe = Probe(model, criterion, train_loader, rho=0.05)   # before the loop
  probe()                                                   # after each optimizer step

then, while it trains or afterwards:

  lucid screen lucid.jsonl --follow

The probe takes its own gradients on a fixed batch, every 50 steps, and leaves parameters, gradients,
BatchNorm, random numbers and mixed precision as they were. Watch records the gradients that SAM itself
took instead; lucid_sam.callbacks has the probe for Lightning and Hugging Face.

What a point is, to be proved: a file that defines model, loss and data,

  def lucid():
      return model, torch.nn.CrossEntropyLoss(reduction="none"), x, y

and lucid certify --python FILE --rho 0.05.

docs/sam-does-not-train.md has the rest: https://www.npmjs.com/package/lucid-sam
`;
