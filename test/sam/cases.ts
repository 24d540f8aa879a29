/** Settings and exceptions of the suites that hold every method to what all must do, as data. */
import type { Method, Outer } from "../../src/sam/contract/method.ts";
import { createMethod, methods, resolveSettings, type Settings } from "../../src/sam/registry.ts";

/** The names of all methods. */
export const names = methods.map(({ name }) => name);

/** Settings that bring out a method's memory and branches within a few steps, on every problem. */
const busy: Readonly<Record<string, Settings>> = {
  looksam: { every: 2 },
  "sparse-sam": { every: 2, samples: 3 },
  saf: { start: 0, epochs: 1 },
  mesa: { start: 0, decay: 0.5 },
  esam: { beta: 0.5, gamma: 0.5 },
  switching: { at: 0.4 },
  "late-phase-sam": { at: 0.5 },
  "auto-switching": { every: 2, resume: 0.9 },
  guarded: { act: 0.9, resume: 0.95, every: 2 },
  "entropy-sgd": { steps: 3 },
  bsam: { noise: false },
  "sam-on": { roles: "norm,weight" },
};

/** What is checked of every method. */
export type Check =
  | "engines agree"
  | "ρ = 0 is the outer optimizer"
  | "a vanishing gradient moves nothing"
  | "the first pass is at x"
  | "statistics are those of one pass"
  | "a sample is met once per epoch"
  | "the direction is that of the step";

/** Where a check does not hold as it stands: with `settings` it does, without them not at all. */
export interface Exception {
  readonly check: Check;
  readonly method: string;
  readonly why: string;
  readonly settings?: Settings;
}

export const exceptions: readonly Exception[] = [
  {
    check: "engines agree",
    method: "entropy-sgd",
    settings: { noise: 0 },
    why: "normal numbers are made in float32, whose logarithms differ between engines",
  },
  {
    check: "ρ = 0 is the outer optimizer",
    method: "m-sam",
    settings: { chunks: 1 },
    why: "the mean over pieces rounds in another order",
  },
  {
    check: "ρ = 0 is the outer optimizer",
    method: "gsam",
    settings: { alpha: 0 },
    why: "rounding leaves a part across",
  },
  {
    check: "ρ = 0 is the outer optimizer",
    method: "esam",
    settings: { gamma: 1 },
    why: "follows some of the samples only",
  },
  {
    check: "ρ = 0 is the outer optimizer",
    method: "sampa",
    settings: { lambda: 0 },
    why: "follows the gradient ahead, too",
  },
  {
    check: "ρ = 0 is the outer optimizer",
    method: "lookbehind",
    settings: { steps: 1, alpha: 1 },
    why: "takes several steps and goes half their way",
  },
  {
    check: "ρ = 0 is the outer optimizer",
    method: "bsam",
    why: "has a momentum and a preconditioner of its own",
  },
  { check: "ρ = 0 is the outer optimizer", method: "saf", why: "has no ρ" },
  { check: "ρ = 0 is the outer optimizer", method: "mesa", why: "has no ρ" },
  { check: "ρ = 0 is the outer optimizer", method: "entropy-sgd", why: "has no ρ" },
  {
    check: "a vanishing gradient moves nothing",
    method: "saf",
    why: "follows its earlier outputs too",
  },
  {
    check: "a vanishing gradient moves nothing",
    method: "mesa",
    why: "follows its earlier outputs too",
  },
  {
    check: "a vanishing gradient moves nothing",
    method: "entropy-sgd",
    settings: { noise: 0 },
    why: "its walk is moved by noise",
  },
  {
    check: "the first pass is at x",
    method: "sampa",
    why: "makes no pass at x but in its first step, the others at x⁺ first",
  },
  {
    check: "statistics are those of one pass",
    method: "m-sam",
    settings: { chunks: 1 },
    why: "pieces of a batch have statistics of their own; one piece is the whole",
  },
  {
    check: "a sample is met once per epoch",
    method: "entropy-sgd",
    why: "draws further batches of its own",
  },
  {
    check: "the direction is that of the step",
    method: "lookbehind",
    settings: { steps: 1, alpha: 1 },
    why: "takes several steps and goes half their way",
  },
];

const exceptionOf = (check: Check, name: string) =>
  exceptions.find((exception) => exception.check === check && exception.method === name);

/** Whether a check holds for a method, if need be with settings of its exception. */
export function holds(check: Check, name: string): boolean {
  const exception = exceptionOf(check, name);
  return exception === undefined || exception.settings !== undefined;
}

/** A method for some checks: with busy settings, ρ where it has one, and what the checks except. */
export function methodFor(
  name: string,
  { rho, outer, checks = [] }: { rho: number; outer: Outer; checks?: readonly Check[] },
): Method {
  const settings: Settings = {
    ...("rho" in resolveSettings(name, {}) && { rho }),
    ...busy[name],
    ...Object.assign({}, ...checks.map((check) => exceptionOf(check, name)?.settings)),
  };
  return createMethod(name, settings, outer);
}

/** Every method that has a line here. */
export const named = [...Object.keys(busy), ...exceptions.map(({ method }) => method)];
