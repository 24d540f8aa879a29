/** How a method is listed: what there is to know about it, and its settings as one schema. */
import { z } from "zod";
import type { Role } from "../../problems/problem.ts";
import type { Method, Outer } from "./method.ts";
import { fromText } from "../../settings/fields.ts";

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
