/** How a method is listed: what there is to know about it, and its settings as one schema. */
import { z } from "zod";
import type { Role } from "../../problems/problem.ts";
import type { Method, Outer } from "./method.ts";
import { parseSchedule, scheduleForms } from "./schedules.ts";

/** A method as it is listed, documented and created by name. */
export interface MethodEntry<Options extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly title: string;
  /** The rule in one line. */
  readonly formula: string;
  /** What is kept between steps besides the outer optimizer's state, in copies of the parameters. */
  readonly state: string;
  /** Gradient evaluations per step. */
  readonly evaluations: number | string;
  /** Whether the method can come to rest, or be held, where the true gradient does not vanish. */
  readonly hallucination: { readonly possible: "yes" | "no" | "conditional"; readonly why: string };
  /** Settings with defaults and descriptions. */
  readonly options: Options;
  readonly citation: string;
  /** Its names in other libraries, such as `{ "davda54/sam": "SAM" }`. */
  readonly elsewhere: { readonly [library: string]: string };
  /** Where we differ from public code on purpose. */
  readonly differences: readonly string[];
  /**
   * For methods made around another one: the name of the one they take by default. The setting
   * `of` names another; settings the wrapper does not know go to it.
   */
  readonly wraps?: string;
  /** `inner` is the wrapped method, given when `wraps` is. */
  create(options: z.output<Options>, outer: Outer, inner?: Method): Method;
}

/** Forget the settings' type once `create` has been checked against it. */
export const entry = <Options extends z.ZodObject>(listed: MethodEntry<Options>): MethodEntry =>
  listed;

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
  return z.preprocess(fromText, schema).default(fallback).describe(description);
}

/** A number, 0 or more, or the text of a schedule of such numbers. */
export function schedule(fallback: number, description: string) {
  const error = "give a number, 0 or more, or a schedule such as cosine(0.1, 0)";
  const text = z.string({ error }).refine(isSchedule, { error: `give a number, ${scheduleForms}` });
  return z
    .preprocess(fromText, z.union([z.number({ error }).gte(0, { error }), text], { error }))
    .default(fallback)
    .describe(description);
}

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
  return z
    .preprocess((word) => word, schema)
    .default(fallback as never)
    .describe(description);
}

const roleNames = ["weight", "bias", "norm", "embedding"] as const satisfies readonly Role[];

/** A number, 0 or more, for every role. Accepts text such as `bias:0,norm:2`. */
export function groups() {
  const error = `give a factor per role, such as bias:0,norm:2, with roles ${roleNames.join(", ")}`;
  return z
    .preprocess(
      (value) => (typeof value === "string" ? Object.fromEntries(pairs(value)) : value),
      z.partialRecord(z.enum(roleNames, { error }), z.number({ error }).gte(0, { error }), {
        error,
      }),
    )
    .default({})
    .describe("factor of ρ per role, such as bias:0,norm:2; the norm stays global");
}

const pairs = (text: string) =>
  text.split(",").map((pair) => {
    const [role = "", factor = ""] = pair.split(":");
    return [role.trim(), fromText(factor)] as const;
  });

/** One or more roles. Accepts text such as `norm,bias`. */
export function roles(fallback: Role[], description: string) {
  const error = `give roles such as norm,bias from ${roleNames.join(", ")}`;
  return z
    .preprocess(
      (value) => (typeof value === "string" ? value.split(",").map((role) => role.trim()) : value),
      z.array(z.enum(roleNames, { error }), { error }).min(1, { error }),
    )
    .default(fallback)
    .describe(description);
}

const fromText = (value: unknown): unknown =>
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
