/** Sentences of the planes view: what a scene shows, said so that it can be read aloud. */
import { findMethod } from "lucid-sam/sam";
import type { RunSpec } from "lucid-sam/run";
import type { FollowedBranch } from "./protocol.ts";
import type { Course, Stand } from "./walk.ts";

/** A number as people say it: `1.4`, `0.0005`, `3·10⁻⁷`. */
export function say(value: number, digits = 2): string {
  if (!Number.isFinite(value)) return "no number";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e6) {
    const rounded = Number(value.toPrecision(digits));
    return String(Math.abs(rounded) >= 100 ? Math.round(value) : rounded).replace("-", "−");
  }
  const [mantissa = "", exponent = ""] = value.toExponential(digits - 1).split("e");
  const raised = Array.from(String(Number(exponent)), (sign) =>
    sign === "-" ? "⁻" : ("⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(sign)] ?? ""),
  ).join("");
  const before = mantissa.replace(/\.0+$/, "").replace("-", "−");
  return before === "1" ? `10${raised}` : `${before}·10${raised}`;
}

/** What a method is called in a sentence. */
export function nameOf(method: string): string {
  if (method === "gd") return "Plain descent";
  return /^[a-z]?sam$/.test(method) ? method.toUpperCase() : findMethod(method).title;
}

const two = (what: string) => (/^[aeiou]/.test(what) ? `an ${what}` : `a ${what}`);

/**
 * The verdict of a scene in a sentence or three.
 *
 * @param k the entry of the course that is shown.
 */
export function verdictSentence(
  name: string,
  course: Course,
  k: number,
  stand: Stand,
  { rho, steps }: { readonly rho: number; readonly steps: number },
): string {
  const slope = say(course.gradNorm[k] ?? NaN);
  const seen = say(course.directionNorm[k] ?? NaN);
  const looks = `It looks ${say(rho, 3)} uphill`;
  switch (stand.kind) {
    case "stopped":
      return `${name} stopped here. The slope is ${slope}. It believes it is 0.`;
    case "slowing":
      return `${name} has all but stopped. The slope is ${slope}. It believes it is ${seen}.`;
    case "minimizer":
      return `${name} stopped at a minimizer. The slope is 0, and it knows.`;
    case "saddle":
    case "maximizer":
      return `${name} stopped at ${two(stand.kind)}: the slope is 0, but the loss falls from here.`;
    case "around":
      if (stand.what === "minimizer") {
        return `${name} goes to and fro beside a minimizer. ${looks}, and the slope there, ${seen}, never vanishes.`;
      }
      return stand.what === undefined
        ? `${name} goes to and fro and does not settle. The slope is ${slope}.`
        : `${name} goes to and fro around ${two(stand.what)}. ${looks}, across it, and is sent back.`;
    case "diverged": {
      const smaller = `A smaller ${rho > 0 ? "ρ or " : ""}learning rate η`;
      return stand.left === "bounds"
        ? `${name} has left all bounds: its steps grow. ${smaller} would hold it.`
        : `${name} has stepped where the function is no number. ${smaller} may keep it from there.`;
    }
    case "moving":
      return k >= steps
        ? `${name} is still on its way after ${steps} steps. The slope is ${slope}.`
        : `${name} stands on a slope of ${slope}. Where it looks, the slope is ${seen}.`;
    default:
      return stand satisfies never;
  }
}

/** How a run stands in a few words, for a list. */
export function standWords(stand: Stand): string {
  switch (stand.kind) {
    case "stopped":
      return "stopped on a slope";
    case "slowing":
      return "all but stopped on a slope";
    case "around":
      return stand.what === undefined ? "to and fro" : `to and fro around a ${stand.what}`;
    case "diverged":
      return stand.left === "bounds" ? "out of bounds" : "where f is no number";
    case "moving":
      return "on its way";
    default:
      return `at a ${stand.kind}`;
  }
}

/** What a branch of hallucinated points is, once it is followed. */
export function branchSentence({ interval: [low, high], folds, center }: FollowedBranch): string {
  const turns = folds.map(({ rho }) => `turns back at ρ = ${say(rho, 3)}`).join(", ");
  const looks = center.map((x) => say(x, 3)).join(", ");
  return `The branch through this point covers ρ from ${say(low, 3)} to ${say(high, 3)}${turns && ` and ${turns}`}. All of it looks at x⁺ = (${looks}). Move ρ: the star goes along.`;
}

/** Why a spec's path cannot be walked from generated code, where it cannot. */
export function whyNotWalked(spec: RunSpec): string | undefined {
  if (spec.optimizer !== "sgd") return `${spec.optimizer} remembers earlier steps`;
  if (spec.momentum > 0) return "momentum remembers earlier steps";
  if (spec.weightDecay > 0) return "weight decay pulls beside the method";
  if (spec.schedule !== "constant" || spec.warmup !== undefined) return "the rate has a schedule";
  if (typeof spec.rho === "string") return "ρ has a schedule";
  if (spec.clip !== undefined) return "long steps are clipped";
  return spec.dtype === "float64" ? undefined : "it computes in float32";
}
