/**
 * Fields: the words that schemas of settings are made of. A field has a default and a description,
 * and takes the text of a flag as well as the value itself.
 */
import { z } from "zod";
import { parseSchedule, scheduleForms } from "./schedules.ts";

/**
 * The same field, with the word that stands for its value where it is a flag: `count` in
 * `--steps <count>`.
 */
export function shownAs<Field extends z.ZodType>(placeholder: string, field: Field): Field {
  return field.meta({ ...field.meta(), placeholder });
}

/** The word that stands for a field's value; `undefined` for a flag that takes none. */
export function placeholderOf(field: z.ZodType): string | undefined {
  const placeholder = field.meta()?.["placeholder"];
  return typeof placeholder === "string" ? placeholder : undefined;
}

/** Bounds of a number; `above` and `below` exclude the bound itself. */
export interface Bounds {
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
  readonly below?: number;
  readonly integer?: boolean;
}

/** A number within bounds. Accepts its text. */
export function number(fallback: number, description: string, bounds: Bounds = {}) {
  const error = `give ${describeBounds(bounds)}`;
  const { min, above, max, below, integer } = bounds;
  let schema = z.number({ error });
  if (integer) schema = schema.int({ error });
  if (min !== undefined) schema = schema.gte(min, { error });
  if (above !== undefined) schema = schema.gt(above, { error });
  if (max !== undefined) schema = schema.lte(max, { error });
  if (below !== undefined) schema = schema.lt(below, { error });
  const field = z.preprocess(fromText, schema).default(fallback).describe(description);
  return shownAs(integer ? "count" : "number", field);
}

/** A number, 0 or more, or the text of a schedule of such numbers. */
export function schedule(fallback: number, description: string) {
  const error = "give a number, 0 or more, or a schedule such as cosine(0.1, 0)";
  const text = z.string({ error }).refine(isSchedule, { error: `give a number, ${scheduleForms}` });
  const field = z
    .preprocess(fromText, z.union([z.number({ error }).gte(0, { error }), text], { error }))
    .default(fallback)
    .meta({ description, isSchedule: true });
  return shownAs("number", field);
}

/** Whether a field is one that {@link schedule} made. */
export const isScheduleField = (field: z.ZodType | undefined): boolean =>
  field?.meta()?.["isSchedule"] === true;

/** True or false. Accepts the words. */
export function flag(fallback: boolean, description: string) {
  return z
    .preprocess(
      (value) => (value === "true" ? true : value === "false" ? false : value),
      z.boolean({ error: "give true or false" }),
    )
    .default(fallback)
    .describe(description);
}

/** One of a list of words. */
export function choice<const Words extends readonly [string, ...string[]]>(
  words: Words,
  fallback: Words[number],
  description: string,
) {
  const schema = z.enum(words, { error: `give ${words.join(", ")}` });
  const field = z
    .preprocess((word) => word, schema)
    .default(fallback as never)
    .describe(description);
  return shownAs("name", field);
}

/** A list of what `item` says, from `128,64`; `none` is the empty list. */
export function list<Item extends z.ZodType>(
  item: Item,
  fallback: z.output<Item>[],
  description: string,
  remedy: string,
) {
  const field = z
    .preprocess(fromList, z.array(item, remedy))
    .default(fallback as never)
    .describe(description);
  return shownAs("list", field);
}

/** The same field without a default: absent means off. */
export const optional = <Schema extends z.ZodType>(field: z.ZodDefault<Schema>) =>
  field
    .unwrap()
    .optional()
    .meta({ ...field.meta() });

/**
 * The same field, absent where it has its default: for a field that came after specs were stored,
 * whose identities it must not change. Its values are words, numbers, true or false.
 */
export function unlessDefault<Schema extends z.ZodType>(field: z.ZodDefault<Schema>) {
  const fallback = field.parse(undefined);
  return field
    .transform((value) => (value === fallback ? undefined : value))
    .meta({ ...field.meta() });
}

/** The same field without a default: it must be given. */
export const required = <Schema extends z.ZodType>(field: z.ZodDefault<Schema>) =>
  field.unwrap().meta({ ...field.meta() });

/** The list a text such as `128,64` or `none` stands for; any other value as it is. */
export const fromList = (value: unknown): unknown =>
  typeof value !== "string" ? value : value === "none" ? [] : value.split(",").map(fromText);

/** The number a text stands for; any other value as it is. */
export const fromText = (value: unknown): unknown =>
  typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value))
    ? Number(value)
    : value;

function isSchedule(text: string): boolean {
  try {
    parseSchedule(text);
    return true;
  } catch {
    return false;
  }
}

function describeBounds({ min, above, max, below, integer }: Bounds): string {
  const kind = integer ? "a whole number" : "a number";
  const low = min !== undefined ? `${min} or more` : above !== undefined ? `above ${above}` : "";
  const high = max !== undefined ? `at most ${max}` : below !== undefined ? `below ${below}` : "";
  if (min !== undefined && max !== undefined) return `${kind} from ${min} to ${max}`;
  return [kind, low, high].filter((part) => part !== "").join(", ");
}

/** An option in words. */
export interface OptionDescription {
  readonly name: string;
  readonly description: string;
  /** `undefined` where absent means something of its own. */
  readonly default: unknown;
}

/** The options of a schema, for lists and documentation. */
export function describeOptions(options: z.ZodObject): OptionDescription[] {
  const defaults: Record<string, unknown> = options.parse({});
  return Object.entries(options.shape).map(([name, schema]) => ({
    name,
    description: (schema as z.ZodType).description ?? "",
    default: defaults[name],
  }));
}
