/** Fields about the roles of parameters: factors of ρ per role, and which roles a method perturbs. */
import { z } from "zod";
import type { Role } from "../../problems/problem.ts";
import { fromText } from "../../settings/fields.ts";

const roleNames = ["weight", "bias", "norm", "embedding"] as const satisfies readonly Role[];

/** A field: a number, 0 or more, for every role. Accepts text such as `bias:0,norm:2`. */
export function groups() {
  const error = `give a factor per role, such as bias:0,norm:2, with roles ${roleNames.join(", ")}`;
  return z
    .preprocess(
      (value) => (typeof value === "string" ? Object.fromEntries(factors(value)) : value),
      z.partialRecord(z.enum(roleNames, { error }), z.number({ error }).gte(0, { error }), {
        error,
      }),
    )
    .default({})
    .describe("factor of ρ per role, such as bias:0,norm:2; the norm stays global");
}

const factors = (text: string) =>
  text.split(",").map((pair) => {
    const [role = "", factor = ""] = pair.split(":");
    return [role.trim(), fromText(factor)] as const;
  });

/** A field: one or more roles. Accepts text such as `norm,bias`. */
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
