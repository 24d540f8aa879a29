/** Progress and summary of a run, in lines for the terminal. */
import { duration, short, whole } from "../../report/words.ts";
import { findProblem } from "../../problems/registry.ts";
import { radiusWords } from "../../run/radius.ts";
import type { RunResult } from "../../run/run.ts";
import type { Final } from "../../run/history.ts";
import type { RunSpec } from "../../run/spec.ts";
import type { Scores } from "../../run/scores.ts";
import type { RunChunk } from "../../run/training.ts";
import type { EvaluationResult } from "../../sam/training/evaluation.ts";

/** What the progress line shows besides the chunk itself. */
export interface Timing {
  /** Length of the run. */
  readonly steps: number;
  /** Steps and seconds since this process began to take steps. */
  readonly taken: number;
  readonly seconds: number;
  /** Images per step, where a run learns images in mini-batches. */
  readonly images?: number | undefined;
}

/** `step 1,200/20,000  loss 2.28  GradRatio 0.0121  1,080 steps/s  138,240 images/s  0:17 left` */
export function progressLine({ checkpoint, latest }: RunChunk, timing: Timing): string {
  const { step } = checkpoint.state;
  const perSecond = timing.taken / timing.seconds;
  return [
    `step ${whole(step)}/${whole(timing.steps)}`,
    `loss ${short(latest.loss)}`,
    `GradRatio ${short(latest.shiftedGradNorm / latest.gradNorm)}`,
    `${perSecond < 10 ? short(perSecond) : whole(perSecond)} steps/s`,
    ...(timing.images === undefined ? [] : [`${whole(timing.images * perSecond)} images/s`]),
    `${duration((timing.steps - step) / perSecond)} left`,
  ].join("  ");
}

/** `step 1,200: train loss 1.24, 61.2 %; test loss 1.43, 55.0 %, the best so far` */
export function scoresLine({ step, train, test }: Scores, isBest: boolean): string {
  const words = (name: string, { loss, score }: EvaluationResult) =>
    `${name} loss ${short(loss)}${score === undefined ? "" : `, ${percent(score)}`}`;
  const parts = [words("train", train), ...(test ? [words("test", test)] : [])];
  return `step ${whole(step)}: ${parts.join("; ")}${isBest ? ", the best so far" : ""}`;
}

/** `downloading train-images-idx3-ubyte  3.1 of 9.9 MB` */
export function downloadLine(file: string, received: number, total: number | undefined): string {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  const of = total === undefined ? "" : ` of ${megabytes(total)}`;
  return `downloading ${file}  ${megabytes(received)}${of} MB`;
}

/** `drawing images  120,000 of 500,000` */
export const drawingLine = (images: number, of: number): string =>
  `drawing images  ${whole(images)} of ${whole(of)}`;

/** A finished run in a few lines, the verdict first. */
export function summary({
  spec,
  final,
  relativeRho,
  verdict,
  warning,
  provenance,
  evaluations,
  best,
}: RunResult): string {
  const { engine, device, seconds } = provenance;
  return [
    `${verdict.name}: ${verdict.sentence}`,
    "",
    describeRun(spec, relativeRho),
    ...numbers(final),
    ...(best ? [`best: ${scoresLine(best, false)}`] : []),
    ...(warning ? [`first warned at step ${whole(warning.step)}`] : []),
    ...(verdict.numbers["skipped"]
      ? [
          `${whole(verdict.numbers["skipped"])} steps were not taken: what they led to was not finite`,
        ]
      : []),
    `${whole(final.step)} steps, ${whole(evaluations)} gradients in ${short(seconds)} s on ${engine} (${device})`,
    "",
  ].join("\n");
}

function describeRun(spec: RunSpec, relativeRho: RunResult["relativeRho"]): string {
  const { method, rho, switch: at, seed } = spec;
  const how = [
    method,
    ...(rho === undefined ? [] : [radiusWords(rho, [relativeRho])]),
    ...(at === undefined ? [] : [`after plain descent for ${short(100 * at)} % of the steps`]),
  ].join(" ");
  const problem = findProblem(spec.problem);
  const what = [
    ...(problem.data === "images" ? [`${String(spec["n"])} images of ${spec.data}`] : []),
    ...(problem.data === "tokens" || problem.data === "graph" ? [String(spec.data)] : []),
    problem.describe(problem.options.parse(spec), spec.data),
    // Every seed starts at the same point of a plane.
    ...(problem.kind === "plane" ? [] : [`seed ${seed}`]),
  ].join(", ");
  return `${how} on ${what}`;
}

const percent = (value: number) => `${(100 * value).toFixed(1)} %`;

function numbers(final: Final): string[] {
  const { point, trainAccuracy, testAccuracy } = final;
  return [
    `loss f(x)        ${short(final.loss)}    at the ascent point f(x⁺)  ${short(final.shiftedLoss)}`,
    `gradient ‖g‖     ${short(final.gradNorm)}    shifted ‖g⁺‖  ${short(final.shiftedGradNorm)}    GradRatio ${short(final.gradRatio)}    cosine ${short(final.cosine)}`,
    ...(point ? [`point            (${point.join(", ")})`] : []),
    ...(trainAccuracy === null
      ? []
      : [
          `accuracy         ${percent(trainAccuracy)} train${testAccuracy === null ? "" : `, ${percent(testAccuracy)} test`}`,
        ]),
  ];
}
