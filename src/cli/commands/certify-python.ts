/** `lucid certify --python`: the verdict on a point of a PyTorch model, whose process computes it. */
import { existsSync } from "node:fs";
import { mostVectors } from "../../diagnostics/algebra/vectors.ts";
import { certifyPoint } from "../../diagnostics/certificate/certify.ts";
import { refine } from "../../diagnostics/point/refine.ts";
import type { Vector } from "../../diagnostics/algebra/vectors.ts";
import { InputError, show, unknownName } from "../../engine/errors.ts";
import { writeSafetensors } from "../../engine/safetensors.ts";
import { sizeOf, tensor } from "../../engine/tensor.ts";
import { writeBytes } from "../../platform/node/files.ts";
import type { Progress } from "../../platform/node/progress.ts";
import { short, whole } from "../../report/words.ts";
import { remoteModel, type RemoteModel } from "../../run/python/remote.ts";
import { buildMethod } from "../../run/build.ts";
import { parseSpec } from "../../run/spec.ts";
import { seconds, wholeNumber } from "../shared/arguments.ts";
import { printCertified, writeCertified, type Refined } from "../shared/certified.ts";
import { kebab, lossOf } from "../shared/flags.ts";
import type { LossFlags } from "../shared/point.ts";
import type { Terminal } from "../shared/terminal.ts";

/** Flags that a model in Python is certified by. */
export interface PythonFlags extends LossFlags {
  readonly python: string;
  readonly interpreter?: string;
  readonly mode?: string;
  readonly atOnce?: string;
  readonly timeout?: string;
  readonly refine?: boolean;
  readonly out?: string;
  readonly wholeSpectra?: string;
  readonly maxProducts?: string;
  readonly steps?: string;
  readonly html?: string;
  readonly threads?: string;
  readonly json?: boolean;
}

const modes = ["evaluate", "train"] as const;

/** More parameters than these are certified with fewer vectors than the iterations would keep. */
const usualVectors = 160;

export async function certifyPython(
  run: string | undefined,
  flags: PythonFlags,
  progress: Progress,
  terminal: Terminal,
): Promise<void> {
  const { python: file, interpreter = process.env["LUCID_PYTHON"] ?? "python3" } = flags;
  const { rho, method } = optimizerOf(run, flags);
  if (!existsSync(file)) throw new InputError(`missing file ${file}: it does not exist`);
  const mode = modes.find((known) => known === (flags.mode ?? "evaluate"));
  if (mode === undefined) throw unknownName("mode", show(flags.mode), modes);
  const steps = wholeNumber("steps", flags.steps);
  const denseLimit = wholeNumber("whole-spectra", flags.wholeSpectra);
  const budget = wholeNumber("max-products", flags.maxProducts);
  const atOnce = wholeNumber("at-once", flags.atOnce);
  if (atOnce !== undefined && mode === "train") {
    throw new InputError(
      "invalid --at-once: batch statistics are those of all samples (leave it out)",
    );
  }
  progress.update(() => `starting ${interpreter}`);
  const remote = await remoteModel({
    interpreter,
    file,
    mode,
    atOnce,
    timeout: seconds("timeout", flags.timeout ?? "300"),
    threads: wholeNumber("threads", flags.threads),
    onPrint: (line) => progress.note(line),
    onStep: (step) => progress.update(() => `certifying: step ${whole(step)}`),
  });
  const { f, x, normalized, model, samples } = remote;
  try {
    const vectors = mostVectors(f.dimension);
    if (vectors < usualVectors) {
      progress.note(
        `${whole(f.dimension)} parameters: iterations keep ${vectors} vectors, 2 GiB, where they would keep up to ${usualVectors}`,
      );
    }
    const { name: _, ...descending } = method;
    const judge = async (x: Vector) => ({
      x,
      certificate: await certifyPoint(
        {
          f,
          x,
          rho,
          method,
          runner: remote.runner(rho, descending),
          mode: normalized ? mode : undefined,
          problem: file,
          description: model,
          samples,
        },
        {
          ...(steps !== undefined && { steps }),
          denseLimit,
          ...(flags.lr !== undefined && { learningRate: Number(flags.lr) }),
          onProgress: (what) => progress.update(() => `certifying: ${what}`),
        },
      ),
    });
    const before = await judge(x);
    let refined: Refined | undefined;
    if (flags.refine) {
      const refinement = await refine({
        f,
        x,
        rho,
        weightDecay: method.weightDecay,
        maxProducts: budget,
        onStep: ({ gradRatio, products }) =>
          progress.update(
            () => `refining: GradRatio ${short(gradRatio)} after ${products} products`,
          ),
      });
      const reached = refinement.point.x;
      if (flags.out !== undefined) await writeBytes(flags.out, encode(remote, reached));
      refined = { ...(await judge(reached)), refinement };
    }
    printCertified(before, refined, flags.json === true, terminal);
    if (flags.html !== undefined) await writeCertified(flags.html, before, refined, f, rho);
  } finally {
    await f.dispose();
  }
}

/** The radius, and the optimizer that made the point. */
function optimizerOf(run: string | undefined, flags: PythonFlags) {
  const [other] = [
    ...Object.keys(lossOf(flags)).map((flag) => `--${kebab(flag)}`),
    ...(run === undefined ? [] : [run]),
    ...("point" in flags ? ["--point"] : []),
  ];
  if (other !== undefined) {
    throw new InputError(
      `invalid ${other}: the file of --python says loss and point (leave it out)`,
    );
  }
  const [without] = ["samples", "engine"].filter((name) => name in flags);
  if (without !== undefined) {
    throw new InputError(
      `invalid --${without}: Python computes, on all samples that lucid() returns (leave it out)`,
    );
  }
  const { method = "sam", rho, lr, momentum, nesterov, weightDecay, set } = flags;
  if ((method !== "sam" && method !== "gd") || set !== undefined) {
    const what = set === undefined ? `method ${show(method)}` : "--set";
    throw new InputError(
      `invalid ${what}: a model in Python is judged as SAM or gd moves it (other methods: lucid_sam.export, then --problem)`,
    );
  }
  if (method === "sam" && rho === undefined) {
    throw new InputError("missing --rho (give SAM's radius, such as 0.05)");
  }
  const spec = parseSpec({ problem: "cosine", method, rho, lr, momentum, nesterov, weightDecay });
  const radius = method === "gd" ? 0 : Number(spec.rho);
  if (!(radius > 0 || method === "gd")) {
    throw new InputError(`invalid rho: ${show(rho)} (give a positive number)`);
  }
  const { outer } = buildMethod(spec);
  const descending = outer.descending ?? { momentum: 0, nesterov: false, weightDecay: 0 };
  return { rho: radius, method: { name: method, ...descending } };
}

/** A point as a state dict: `load_state_dict` takes it, with `strict=False` where there are buffers. */
function encode({ names }: RemoteModel, x: Vector): Uint8Array {
  let at = 0;
  const tensors = names.map(([name, shape]) => {
    const size = sizeOf(shape);
    const data = x.slice(at, (at += size));
    return [name, tensor(data, [...shape], "float64")] as const;
  });
  return writeSafetensors(Object.fromEntries(tensors));
}
