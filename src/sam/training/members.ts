/** Members of an ensemble: whether runs are taken side by side in one program, and why not. */
import { UnsupportedError, type EngineOptions } from "../../engine/index.ts";
import { planEnsembleTraining, type EnsembleTraining, type OpenEnsemble } from "./ensemble.ts";
import type { StepOptions } from "./step.ts";
import type { CompiledTraining } from "./training.ts";

/**
 * Least gain for which an ensemble is compiled: steps of all runs in the time of one alone. Networks
 * whose operators have much to do by themselves gain nothing from company.
 */
const leastGain = 2;

/**
 * Why runs are taken alone. `engine`: another than native, or another processor than the CPU.
 * `operator`: the step has one that cannot be taken side by side. `size`: it would gain too little.
 * `rounding`: kernels of this machine round otherwise than in a run alone.
 */
export type AloneReason = "engine" | "operator" | "size" | "rounding";

/** Runs that are to be taken alone. */
export interface Alone {
  readonly alone: AloneReason;
  readonly sentence: string;
}

/** What the steps of a training would gain in an ensemble of so many. */
export async function planMembers(
  { program }: CompiledTraining,
  options: StepOptions & EngineOptions,
  members: number,
): Promise<EnsembleTraining | Alone> {
  if (program.engine !== "native" || (options.provider ?? "cpu") !== "cpu") {
    return { alone: "engine", sentence: `steps run on ${program.engine}, ${program.device}` };
  }
  try {
    const plan = await planEnsembleTraining(options, members);
    if (plan.gain >= leastGain) return plan;
    const gain = plan.gain.toFixed(1);
    return { alone: "size", sentence: `${members} runs would gain a factor of ${gain} only` };
  } catch (error) {
    return asAlone(error, "operator");
  }
}

/** The ensemble that was planned, where it has the numbers of runs alone. */
export async function openMembers(
  plan: EnsembleTraining | Alone,
  compiled: CompiledTraining,
  engine: EngineOptions,
): Promise<OpenEnsemble | Alone> {
  if ("alone" in plan) return plan;
  try {
    return await plan.open(compiled, engine);
  } catch (error) {
    return asAlone(error, "rounding");
  }
}

function asAlone(error: unknown, alone: AloneReason): Alone {
  if (error instanceof UnsupportedError) return { alone, sentence: error.message };
  throw error;
}
