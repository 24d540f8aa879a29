/** `lucid certify`: the verdict on a point, in float64, with the numbers that prove it. */
import { dirname } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { certify } from "../../diagnostics/certificate/certify.ts";
import { compileDerivatives, flatten, unflatten } from "../../diagnostics/point/derivatives.ts";
import { compileDirection } from "../../diagnostics/point/direction.ts";
import { refine } from "../../diagnostics/point/refine.ts";
import { checkTheorems, type TheoremRow } from "../../diagnostics/theorems/index.ts";
import { InputError, unknownName } from "../../engine/errors.ts";
import { certifySubset } from "../../diagnostics/certificate/subsets.ts";
import { makeFolder, writeBytes } from "../../platform/node/files.ts";
import { startProgress, type Progress } from "../../platform/node/progress.ts";
import type { Mode, Model } from "../../problems/problem.ts";
import { encodeModel } from "../../run/checkpoint.ts";
import {
  chooseEngine,
  engineOption,
  option,
  pairsOption,
  threadsOption,
  wholeNumber,
} from "../shared/arguments.ts";
import { printCertified, writeCertified, type Refined } from "../shared/certified.ts";
import { addLossOptions, fieldOption, kebab, refuseWithout } from "../shared/flags.ts";
import { lossAndModel, type LossFlags } from "../shared/point.ts";
import { short } from "../../report/words.ts";
import { certifyPython } from "./certify-python.ts";
import { printJson, type Terminal } from "../shared/terminal.ts";

interface CertifyFlags extends LossFlags {
  readonly point?: string;
  readonly python?: string;
  readonly interpreter?: string;
  readonly atOnce?: string;
  readonly timeout?: string;
  readonly refine?: boolean;
  readonly out?: string;
  readonly maxProducts?: string;
  readonly steps?: string;
  readonly wholeSpectra?: string;
  readonly samples?: string;
  readonly mode?: string;
  readonly html?: string;
  readonly theorems?: boolean;
  readonly only?: string;
  readonly engine?: string;
  readonly threads?: string;
  readonly json?: boolean;
}

export function addCertify(program: Command, terminal: Terminal): void {
  const command = program
    .command("certify")
    .description(
      "Say what a point is: minimizer, saddle, or hallucinated, with the numbers that show it.",
    )
    .argument("[run]", "folder of a finished run, made by lucid train --out")
    .optionsGroup("Without a run, the loss and the point:");
  addLossOptions(command);
  command
    .addOption(
      option(
        "--point <file>",
        "weights: safetensors or npz, named as ours or as a PyTorch Sequential; x,y on a plane",
      ),
    )
    .optionsGroup("Or a model in PyTorch:")
    .addOption(option("--python <file>", "a file that defines lucid(): return model, loss, x, y"))
    .addOption(
      option("--interpreter <path>", "a Python that has torch (default: LUCID_PYTHON, or python3)"),
    )
    .addOption(
      option("--at-once <count>", "samples differentiated at once: less memory (default: all)"),
    )
    .addOption(option("--timeout <seconds>", "silence that counts as hanging (default: 300)"))
    .optionsGroup("What made the point (a run says it itself):")
    .addOption(fieldOption("method"))
    .addOption(fieldOption("rho"))
    .addOption(pairsOption("--set <key=value>", "another setting of the method; may be repeated"))
    .addOption(fieldOption("weightDecay"))
    .addOption(fieldOption("momentum"))
    .addOption(fieldOption("nesterov"))
    .optionsGroup("How:")
    .addOption(fieldOption("lr"))
    .addOption(
      option(
        "--steps <count>",
        "steps from each displaced copy (default: what the slowest rate asks for, at most 20,000)",
      ),
    )
    .addOption(
      option(
        "--whole-spectra <count>",
        "where the method rests, compute whole spectra up to so many parameters: time goes with their cube (default: 1000)",
      ),
    )
    .addOption(
      option(
        "--samples <count>",
        "certify on so many samples, drawn at random, with error bars from further subsets (default: on all)",
      ),
    )
    .addOption(
      option(
        "--mode <name>",
        "what batch normalization uses: evaluate, the running statistics, or train, those of all samples (default: evaluate)",
      ),
    )
    .option("--refine", "first move to a zero of g⁺ near the point; both are certified")
    .addOption(
      option("--max-products <count>", "Hessian-vector products --refine may spend (default: 500)"),
    )
    .addOption(option("--out <file>", "keep the refined point, as safetensors"))
    .addOption(option("--html <file>", "keep the report, with pictures, as a page"))
    .addOption(engineOption())
    .addOption(threadsOption(2))
    .option("--theorems", "instead check every theorem numerically on the planes")
    .addOption(option("--only <text>", "with --theorems: statements that contain this"))
    .option("--json", "print one JSON document")
    .action(async (run, flags) => {
      const progress = startProgress({ stream: terminal.err });
      try {
        const { python } = flags;
        if (flags.theorems !== true) refuseWithout("--theorems", flags, ["only"]);
        if (flags.refine !== true) refuseWithout("--refine", flags, ["out", "maxProducts"]);
        if (python === undefined) {
          refuseWithout("--python", flags, ["interpreter", "atOnce", "timeout"]);
        }
        if (flags.theorems) await theorems(run, flags, progress, terminal);
        else if (python !== undefined) {
          await prepareFiles(flags);
          await certifyPython(run, { ...flags, python }, progress, terminal);
        } else await certifyPoint(run, flags, progress, terminal);
      } finally {
        progress.done();
      }
    });
}

async function certifyPoint(
  run: string | undefined,
  flags: CertifyFlags,
  progress: Progress,
  terminal: Terminal,
): Promise<void> {
  const engine = {
    engine: chooseEngine(flags.engine),
    threads: wholeNumber("threads", flags.threads) ?? 2,
  };
  const steps = wholeNumber("steps", flags.steps);
  const denseLimit = wholeNumber("whole-spectra", flags.wholeSpectra);
  const budget = wholeNumber("max-products", flags.maxProducts);
  await prepareFiles(flags);
  const { model, ...target } = await lossAndModel(run, flags, progress);
  const samples = wholeNumber("samples", flags.samples);
  const mode = modeOf(flags.mode);
  const judge = async ({ params, statistics }: Model) => {
    const asked = {
      ...target,
      // A method without one of its own has none.
      rho: "rho" in target.method.knobs || target.rho > 0 ? target.rho : undefined,
      point: params,
      statistics,
      engine,
      ...(steps !== undefined && { steps }),
      denseLimit,
      mode,
      onProgress: (what: string) => progress.update(() => `certifying: ${what}`),
    };
    return {
      x: flatten(params),
      certificate: await (samples === undefined
        ? certify(asked)
        : certifySubset({ ...asked, samples })),
    };
  };
  const before = await judge(model);
  let refined: Refined | undefined;
  if (flags.refine) {
    const { statistics } = model;
    const { weightDecay = 0 } = target.method.outer.descending ?? {};
    const direction = await compileDirection(target.problem, target.method, {
      statistics,
      ...engine,
    });
    const f = await compileDerivatives(target.problem, { statistics, ...engine });
    const refinement = await refine({
      f,
      direction,
      weightDecay,
      x: flatten(model.params),
      rho: target.rho,
      maxProducts: budget,
      onStep: ({ gradRatio, products }) =>
        progress.update(() => `refining: GradRatio ${short(gradRatio)} after ${products} products`),
    });
    await f.dispose();
    await direction.dispose();
    const reached = {
      params: unflatten(target.problem.init(0), refinement.point.x),
      statistics: model.statistics,
    };
    if (flags.out !== undefined) await writeBytes(flags.out, encodeModel(reached));
    refined = { ...(await judge(reached)), refinement };
  }
  printCertified(before, refined, flags.json === true, terminal);
  if (flags.html === undefined) return;
  const f = await compileDerivatives(target.problem, { statistics: model.statistics, ...engine });
  await writeCertified(flags.html, before, refined, f, target.rho);
  await f.dispose();
}

/** @throws {InputError} when there is no such mode. */
function modeOf(name = "evaluate"): Mode {
  if (name === "evaluate" || name === "train") return name;
  throw unknownName("mode", name, ["evaluate", "train"]);
}

/** What cannot be kept is better said before the work than after it. */
async function prepareFiles({ out, html }: CertifyFlags): Promise<void> {
  for (const file of [out, html]) if (file !== undefined) await makeFolder(dirname(file));
}

async function theorems(
  run: string | undefined,
  flags: CertifyFlags,
  progress: Progress,
  terminal: Terminal,
): Promise<void> {
  const [other] = [
    ...(run === undefined ? [] : [run]),
    ...Object.keys(flags)
      .filter((flag) => !["theorems", "only", "json"].includes(flag))
      .map((flag) => `--${kebab(flag)}`),
  ];
  if (other !== undefined) {
    throw new InputError(
      `invalid ${other}: --theorems checks planes of its own (leave it out, or --theorems)`,
    );
  }
  const { only, json } = flags;
  const rows = await checkTheorems({
    only,
    onProgress: (statement) => progress.update(() => `checking: ${statement}`),
  });
  if (rows.length === 0) {
    throw new InputError(`unknown statement "${only}" (lucid certify --theorems lists all)`);
  }
  if (json) printJson(terminal, rows);
  else terminal.out(describeTheorems(rows));
  const failed = rows.filter(({ passed }) => !passed).length;
  if (failed > 0) throw new Error(`${failed} of ${rows.length} checks failed`);
}

function describeTheorems(rows: readonly TheoremRow[]): string {
  return rows
    .map(({ statement, claim, plane, passed, numbers }) => {
      const measured = Object.entries(numbers).map(([name, value]) => `${name} ${short(value)}`);
      return `${passed ? "holds" : "FAILS"}  ${statement} on ${plane}: ${claim}\n       ${measured.join(", ")}\n`;
    })
    .join("");
}
