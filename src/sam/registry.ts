/** Every method by name. */
import type { z } from "zod";
import { InputError, nearest, unknownName } from "../engine/errors.ts";
import type { MethodEntry } from "./contract/entry.ts";
import type { Method, Outer } from "./contract/method.ts";
import { adaptiveMethods } from "./methods/adaptive.ts";
import { bayesianMethods } from "./methods/bayesian.ts";
import { chunkedMethods } from "./methods/chunks.ts";
import { efficientMethods } from "./methods/esam.ts";
import { entropyMethods } from "./methods/entropy.ts";
import { exactMethods } from "./methods/exact.ts";
import { guardMethods } from "./methods/guard.ts";
import { gsamMethods } from "./methods/gsam.ts";
import { multiStepMethods } from "./methods/multistep.ts";
import { parallelMethods } from "./methods/parallel.ts";
import { partialMethods } from "./methods/partial.ts";
import { plainMethods } from "./methods/sam.ts";
import { smoothedMethods } from "./methods/smoothed.ts";
import { sometimesMethods } from "./methods/sometimes.ts";
import { sparseMethods } from "./methods/sparse.ts";
import { switchingMethods } from "./methods/switching.ts";
import { trajectoryMethods } from "./methods/trajectory.ts";

export type { MethodEntry } from "./contract/entry.ts";

/** All methods, from plain descent on, by increasing difficulty. */
export const methods: readonly MethodEntry[] = [
  ...plainMethods,
  ...exactMethods,
  ...chunkedMethods,
  ...adaptiveMethods,
  ...smoothedMethods,
  ...partialMethods,
  ...sparseMethods,
  ...multiStepMethods,
  ...gsamMethods,
  ...sometimesMethods,
  ...switchingMethods,
  ...efficientMethods,
  ...parallelMethods,
  ...bayesianMethods,
  ...trajectoryMethods,
  ...entropyMethods,
  ...guardMethods,
];

/**
 * The method of a name or alias, in any case of letters.
 *
 * @throws {InputError} `unknown method "samm" (did you mean "sam"?)`
 */
export function findMethod(name: string): MethodEntry {
  const wanted = name.toLowerCase();
  const found = methods.find((method) => namesOf(method).includes(wanted));
  if (found === undefined) throw unknownName("method", name, methods.flatMap(namesOf));
  return found;
}

const namesOf = ({ name, aliases }: MethodEntry): string[] => [name, ...aliases];

/** Settings by name, as values or as the text of `--set key=value`. */
export type Settings = Readonly<Record<string, unknown>>;

/**
 * A method by name, with its settings checked and defaults filled in.
 *
 * @param settings As values or as text: `{ rho: 0.1 }` or `{ rho: "cosine(0.1, 0)" }`.
 * @throws {InputError} `unknown setting "roh" of sam (did you mean "rho"?)` or
 *   `invalid rho: -1 (give a number, 0 or more)`
 * @example
 * const method = createMethod("asam", { rho: 0.5, eta: 0.01 }, sgd({ learningRate: 0.1 }));
 */
export function createMethod(name: string, settings: Settings, outer: Outer): Method {
  const method = findMethod(name);
  const { own, inner } = divide(method, settings);
  const options = checkSettings(method, own);
  return inner === undefined
    ? method.create(options, outer)
    : method.create(options, outer, createMethod(inner.name, inner.settings, outer));
}

/**
 * Check settings as `createMethod` does and fill in defaults: plain JSON, fit for a file that
 * says how a run was made.
 */
export function resolveSettings(name: string, settings: Settings): Record<string, unknown> {
  const method = findMethod(name);
  const { own, inner } = divide(method, settings);
  const options = checkSettings(method, own);
  if (inner === undefined) return options;
  return { ...options, of: inner.name, ...resolveSettings(inner.name, inner.settings) };
}

/** A wrapper's settings and those of the method it wraps. */
function divide(method: MethodEntry, settings: Settings) {
  if (method.wraps === undefined) return { own: settings };
  const { of = method.wraps, ...rest } = settings;
  const wrapped = findMethod(String(of));
  const isOwn = (key: string) => Object.hasOwn(method.options.shape, key);
  const part = (own: boolean) =>
    Object.fromEntries(Object.entries(rest).filter(([key]) => isOwn(key) === own));
  return { own: part(true), inner: { name: wrapped.name, settings: part(false) } };
}

function checkSettings({ name, options }: MethodEntry, settings: Settings) {
  const known = Object.keys(options.shape);
  for (const key of Object.keys(settings)) {
    if (known.includes(key)) continue;
    const guess = nearest(key, known);
    const remedy =
      guess !== undefined
        ? `did you mean "${guess}"?`
        : known.length > 0
          ? `choose from ${known.join(", ")}`
          : "it has none";
    throw new InputError(`unknown setting "${key}" of ${name} (${remedy})`);
  }
  const result = options.safeParse(settings);
  if (result.success) return result.data;
  const [issue] = result.error.issues as [z.core.$ZodIssue];
  const key = String(issue.path[0]);
  throw new InputError(`invalid ${key}: ${String(settings[key])} (${issue.message})`);
}

/** A setting in words. */
export interface SettingDescription {
  readonly name: string;
  readonly description: string;
  readonly default: unknown;
}

/** The settings of a method, for lists and documentation. */
export function describeSettings({ options }: MethodEntry): SettingDescription[] {
  const defaults: Record<string, unknown> = options.parse({});
  return Object.entries(options.shape).map(([name, schema]) => ({
    name,
    description: (schema as z.ZodType).description ?? "",
    default: defaults[name],
  }));
}
