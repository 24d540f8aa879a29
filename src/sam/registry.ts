/** The registry of methods: every one by name. */
import { show, unknownName } from "../engine/errors.ts";
import { describeOptions, type OptionDescription } from "../settings/fields.ts";
import { checkSettings } from "../settings/options.ts";
import type { Method, Outer } from "./contract/method.ts";
import type { MethodEntry } from "./define.ts";
import { aeSam } from "./methods/ae-sam.ts";
import { amp } from "./methods/amp.ts";
import { asam } from "./methods/asam.ts";
import { awp } from "./methods/awp.ts";
import { bsam } from "./methods/bsam.ts";
import { decayingSam } from "./methods/decaying-sam.ts";
import { entropySgd } from "./methods/entropy-sgd.ts";
import { esam } from "./methods/esam.ts";
import { exactSam } from "./methods/exact-sam.ts";
import { fisherSam } from "./methods/fisher-sam.ts";
import { gsam } from "./methods/gsam.ts";
import { guarded, untilSafe } from "./methods/guard.ts";
import { lookbehind } from "./methods/lookbehind.ts";
import { lookSam } from "./methods/looksam.ts";
import { mSam } from "./methods/m-sam.ts";
import { multiStepSam } from "./methods/multistep-sam.ts";
import { gradientDescent, sam, usam } from "./methods/sam.ts";
import { samOn } from "./methods/sam-on.ts";
import { sampa } from "./methods/sampa.ts";
import { friendlySam, vasso } from "./methods/smoothed.ts";
import { sparseSam } from "./methods/sparse-sam.ts";
import { latePhaseSam, switchingInWindow } from "./methods/switching.ts";
import { mesa, saf } from "./methods/trajectory.ts";

export type { MethodEntry } from "./define.ts";

/** All methods, from plain descent on, by increasing difficulty. */
export const methods: readonly MethodEntry[] = [
  gradientDescent,
  sam,
  usam,
  exactSam,
  mSam,
  asam,
  fisherSam,
  friendlySam,
  vasso,
  samOn,
  awp,
  amp,
  sparseSam,
  multiStepSam,
  lookbehind,
  gsam,
  lookSam,
  aeSam,
  switchingInWindow,
  latePhaseSam,
  decayingSam,
  esam,
  sampa,
  bsam,
  saf,
  mesa,
  entropySgd,
  untilSafe,
  guarded,
].map(({ entry }) => entry);

/**
 * The method of a name or alias, in any case of letters.
 *
 * @throws {InputError} `unknown method "samm" (did you mean "sam"?)`
 */
export function findMethod(name: string): MethodEntry {
  const wanted = name.toLowerCase();
  const found = methods.find((method) => namesOf(method).includes(wanted));
  if (found === undefined) {
    const aliases = methods.flatMap((method) => method.aliases);
    throw unknownName(
      "method",
      name,
      methods.map((method) => method.name),
      aliases,
    );
  }
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
  const options = checkSettings(method.name, method.options, own);
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
  const options = checkSettings(method.name, method.options, own);
  if (inner === undefined) return options;
  return { ...options, of: inner.name, ...resolveSettings(inner.name, inner.settings) };
}

/** A wrapper's settings and those of the method it wraps. */
function divide(method: MethodEntry, settings: Settings) {
  if (method.wraps === undefined) return { own: settings };
  const { of = method.wraps, ...rest } = settings;
  const wrapped = findMethod(show(of));
  const isOwn = (key: string) => Object.hasOwn(method.options.shape, key);
  const part = (own: boolean) =>
    Object.fromEntries(Object.entries(rest).filter(([key]) => isOwn(key) === own));
  return { own: part(true), inner: { name: wrapped.name, settings: part(false) } };
}

/** The settings of a method, for lists and documentation. */
export const describeSettings = ({ options }: MethodEntry): OptionDescription[] =>
  describeOptions(options);
