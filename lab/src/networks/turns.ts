/** Turns of a run: another method from some step on, in place or in a fork, as text and as a spec. */
import { findMethod } from "lucid-sam/sam";
import { parseSpec, type RunSpec } from "lucid-sam/run";

/** `3200:gd`, `3200:sam:0.5`, or a step alone, where nothing changes. */
export const turnPattern = /^\d+(:[a-z][a-z-]*(:[\d.]+(e-?\d+)?)?)?$/;

export interface Turn {
  readonly step: number;
  readonly method?: string | undefined;
  readonly rho?: string | undefined;
}

export function parseTurn(text: string): Turn {
  const [step, method, rho] = text.split(":");
  return { step: Number(step), method, rho };
}

/** Whether a method looks ahead by a ρ. */
export const hasRho = (method: string): boolean => "rho" in findMethod(method).options.shape;

/** The text of a turn; a ρ is said where the method has one. */
export const formatTurn = ({ step, method, rho }: Turn): string =>
  [step, method, ...(method !== undefined && rho !== undefined && hasRho(method) ? [rho] : [])]
    .filter((part) => part !== undefined)
    .join(":");

/**
 * The run from a turn on.
 *
 * @throws {InputError} for an unknown method, or a ρ that it cannot have.
 */
export function turned(spec: RunSpec, { method, rho }: Turn): RunSpec {
  if (method === undefined) return spec;
  const { rho: before, switch: _, settings, ...rest } = spec;
  const isSame = findMethod(method).name === spec.method;
  return parseSpec({
    ...rest,
    method,
    settings: isSame ? settings : {},
    rho: rho ?? (isSame ? before : undefined),
  });
}

/** The run as it goes at a step. */
export function specAt(spec: RunSpec, turns: readonly Turn[], step: number): RunSpec {
  const turn = turns.findLast((candidate) => candidate.step <= step);
  return turn ? turned(spec, turn) : spec;
}

/** `plain descent`, `SAM, ρ = 2` */
export function methodWords({ method, rho }: Pick<RunSpec, "method" | "rho">): string {
  const name = method === "gd" ? "plain descent" : method.toUpperCase();
  return rho === undefined ? name : `${name}, ρ = ${rho}`;
}
