/** Checks of settings and options against their fields, with errors in the command line's words. */
import { z } from "zod";
import { InputError, nearest, show } from "../engine/errors.ts";
import { isScheduleField } from "./fields.ts";
import { parseSchedule, type Schedule } from "./schedules.ts";

/** Fields by name: what may be set, with defaults and descriptions. */
export type Fields = { readonly [name: string]: z.ZodType };

/** What a field yields in code: a schedule where it takes the text of one. */
type Value<Field extends z.ZodType> = [number | string] extends [z.output<Field>]
  ? Schedule
  : z.output<Field>;

/** The values of fields, ready for use. */
export type Values<F extends Fields> = { readonly [Name in keyof F]: Value<F[Name]> };

/** The fields that options of this type need, one each, so that neither has a name the other lacks. */
export type FieldsOf<Options> = {
  readonly [Name in keyof Options]-?: z.ZodType<AsText<Exclude<Options[Name], undefined>>>;
};
type AsText<Value> = [Schedule] extends [Value] ? number | string : Value;

/** Options with every default filled in. */
export type Complete<Options> = {
  readonly [Name in keyof Options]-?: Exclude<Options[Name], undefined>;
};

/**
 * Check settings, as values or as text, and fill in defaults: plain JSON.
 *
 * @param owner What has the settings, for messages.
 * @throws {InputError} `unknown setting "roh" of sam (did you mean "rho"?)`,
 *   `invalid rho: -1 (give a number, 0 or more, …)` or `missing maxNorm of clipped (give …)`
 */
export function checkSettings<Shape extends z.ZodRawShape>(
  owner: string,
  fields: z.ZodObject<Shape>,
  settings: object,
  alsoKnown: readonly string[] = [],
): z.output<z.ZodObject<Shape>> {
  const known = [...Object.keys(fields.shape), ...alsoKnown];
  for (const key of Object.keys(settings)) {
    if (Object.hasOwn(fields.shape, key)) continue;
    const guess = nearest(key, known);
    const remedy =
      guess !== undefined
        ? `did you mean "${guess}"?`
        : known.length > 0
          ? `choose from ${known.join(", ")}`
          : "it has none";
    throw new InputError(`unknown setting "${key}" of ${owner} (${remedy})`);
  }
  const result = fields.safeParse(settings);
  if (result.success) return result.data;
  const [issue] = result.error.issues as [z.core.$ZodIssue];
  const key = String(issue.path[0]);
  const value = (settings as { readonly [key: string]: unknown })[key];
  throw new InputError(
    value === undefined
      ? `missing ${key} of ${owner} (${issue.message})`
      : `invalid ${key}: ${inCode(value)} (${issue.message})`,
  );
}

/**
 * Check options given in code and fill in defaults. What settings may be, options may be too, and
 * schedules also functions of the step.
 *
 * @param parts Further options, which the caller checks itself: only their names are known here.
 * @throws {InputError} as {@link checkSettings}
 */
export function checkOptions<F extends Fields>(
  owner: string,
  fields: F,
  options: object,
  parts: readonly string[] = [],
): Values<F> {
  if (typeof options !== "object" || options === null) {
    throw new InputError(
      `invalid options of ${owner}: ${inCode(options)} (give them by name, as in { name: value })`,
    );
  }
  const given = Object.entries<unknown>({ ...options }).filter(([name]) => !parts.includes(name));
  const isFunction = ([name, value]: [string, unknown]) =>
    typeof value === "function" && isScheduleField(fields[name]);
  const functions = Object.fromEntries(given.filter(isFunction));
  const others = Object.fromEntries(given.filter((entry) => !isFunction(entry)));
  // A field without default is there all the same where it is given as a function.
  const unset = Object.fromEntries(
    Object.entries<z.ZodType>(fields).filter(([name]) => !Object.hasOwn(functions, name)),
  );
  const known = [...Object.keys(functions), ...parts];
  const checked = checkSettings(owner, z.object(unset), others, known);
  return { ...readValues(fields, checked), ...functions } as Values<F>;
}

/** Settings that were checked, with the texts of schedules read. */
export const readValues = (fields: Fields, settings: object): { [name: string]: unknown } =>
  Object.fromEntries(
    Object.entries<unknown>({ ...settings }).map(([name, value]) => [
      name,
      isScheduleField(fields[name]) ? parseSchedule(value as number | string) : value,
    ]),
  );

/** What a message shows of a value given in code: a list has its brackets, so that [1] is not 1. */
const inCode = (value: unknown): string =>
  Array.isArray(value) ? `[${show(value)}]` : show(value);
