/** What a run is: everything that decides its numbers, and nothing else. */
import { z } from "zod";
import { InputError, unknownName } from "../engine/errors.ts";
import { activations, type ActivationName } from "../problems/networks/activations.ts";
import { planes, type PlaneName } from "../problems/planes/index.ts";
import { choice, flag, fromList, fromText, number, optional } from "../settings/fields.ts";
import { findMethod, resolveSettings } from "../sam/registry.ts";

const widths = "give widths of 1 or more, such as 128,64";
const pair = "give two numbers, such as 2,0.5";
const samples = 'give "full" or a whole number, 1 or more';

/** What only networks have. */
const networkFields = {
  problem: z.string().default("mlp").describe("what to train: mlp, or the name of a plane"),
  data: choice(["digits", "mnist"], "digits", "images to learn"),
  n: number(500, "learn from the first so many training images", { min: 1, integer: true }),
  pool: number(1, "replace squares of so many pixels a side by their means", {
    min: 1,
    integer: true,
  }),
  normalization: choice(["standard", "none"], "standard", "shift and scale the pixels, or not"),
  hidden: z
    .preprocess(fromList, z.array(z.int({ error: widths }).gte(1, { error: widths }), widths))
    .default([64])
    .describe("widths of the hidden layers, such as 128,64, or none"),
  activation: choice(
    Object.keys(activations) as [ActivationName, ...ActivationName[]],
    "tanh",
    "activation of the hidden layers",
  ),
};

/** What only functions of two variables have. */
const planeFields = {
  problem: z.enum(Object.keys(planes) as [PlaneName, ...PlaneName[]]),
  start: z
    .preprocess(fromList, z.tuple([z.number({ error: pair }), z.number({ error: pair })], pair))
    .optional()
    .describe("where a run on a plane begins; default: the plane's own start"),
  separate: optional(flag(false, "keep the coordinates of the plane quadratic in two tensors")),
};

const weightDecay = number(0, "λ of the weight decay; default 0, or 0.01 for adamw", { min: 0 });

const sgdFields = {
  optimizer: z.literal("sgd").default("sgd").describe("how to move: sgd or adamw"),
  momentum: number(0, "μ of SGD's momentum", { min: 0, below: 1 }),
  nesterov: flag(false, "look ahead along SGD's momentum"),
  weightDecay,
};

const adamwFields = { optimizer: z.literal("adamw"), weightDecay };

const trainingFields = {
  method: z.string().default("sam").describe("how to train; `lucid methods` lists all"),
  rho: z
    .union([z.number(), z.string()], { error: "give a number, 0 or more" })
    .optional()
    .describe("ρ, how far the method looks ahead; default: the method's own"),
  settings: z
    .record(z.string(), z.unknown(), { error: "give settings by name" })
    .default({})
    .describe("further settings of the method"),
  lr: number(0.01, "learning rate η; default 0.01, 0.1 on planes, 0.001 for adamw", { above: 0 }),
  clip: optional(
    number(1, "scale the direction of a step down to this norm where it is longer", { above: 0 }),
  ),
  schedule: choice(
    ["constant", "cosine", "step"],
    "constant",
    "learning rate over the run: held, half a cosine down to 0, a tenth at 1/2 and again at 3/4",
  ),
  steps: number(5000, "length of the run; default 5000, 1000 on planes", {
    min: 1,
    integer: true,
  }),
  batch: z
    .preprocess(
      fromText,
      z.union([z.literal("full"), z.int({ error: samples }).gte(1, { error: samples })], {
        error: samples,
      }),
    )
    .default("full")
    .describe("samples per step"),
  seed: number(0, "seed of initial parameters, batches and noise", {
    min: 0,
    max: 2 ** 32 - 1,
    integer: true,
  }),
  switch: optional(
    number(0.1, "plain descent for this fraction of the run, then the method", { min: 0, max: 1 }),
  ),
  dtype: choice(["float32", "float64"], "float32", "precision; default float32, float64 on planes"),
};

const network = z.strictObject({ ...networkFields, ...trainingFields });
const plane = z.strictObject({ ...planeFields, ...trainingFields });
const sgd = z.strictObject(sgdFields);
const adamw = z.strictObject(adamwFields);

/** Every field a run may have; the descriptions name defaults that depend on other fields. */
export const specFields = {
  ...planeFields,
  ...networkFields,
  ...trainingFields,
  ...sgdFields,
};

export type SpecField = keyof typeof specFields;
export type DataName = z.output<typeof network>["data"];
export type OptimizerSpec = z.output<typeof sgd> | z.output<typeof adamw>;

/** A run on a network, with every default filled in. */
export type NetworkSpec = z.output<typeof network> & OptimizerSpec;

/** A run on a function of two variables, with every default filled in. */
export type PlaneSpec = z.output<typeof plane> & OptimizerSpec & { start: [number, number] };

/**
 * A run in canonical form: every default filled in, aliases resolved, nothing irrelevant. Equal
 * runs have equal specs. What does not belong to the question asked (engine, threads, how often
 * to record) is not part of it.
 */
export type RunSpec = NetworkSpec | PlaneSpec;

export const isNetwork = (spec: RunSpec): spec is NetworkSpec => "data" in spec;

const isPlane = (problem: unknown): problem is PlaneName =>
  typeof problem === "string" && Object.hasOwn(planes, problem);

/**
 * Check the description of a run and bring it to canonical form. Values may be texts, as flags
 * and addresses have them. A canonical form comes back as it is.
 *
 * @throws {InputError} in one line: `invalid rho: -1 (give a number, 0 or more)`
 * @example
 * const spec = parseSpec({ problem: "cosine", rho: 4, start: [2, 0.5], steps: 5000 });
 */
export function parseSpec(input: unknown): RunSpec {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw new InputError(`invalid run: ${show(input)} (give fields by name, such as rho)`);
  }
  const given = Object.fromEntries<unknown>(
    Object.entries(input).filter(([, value]) => value !== undefined),
  );
  const { problem = "mlp", optimizer = "sgd" } = given;
  if (problem !== "mlp" && !isPlane(problem)) {
    throw unknownName("problem", String(problem), ["mlp", ...Object.keys(planes)]);
  }
  if (optimizer !== "sgd" && optimizer !== "adamw") {
    throw unknownName("optimizer", String(optimizer), ["sgd", "adamw"]);
  }
  const fields = {
    ...(isPlane(problem) ? planeFields : networkFields),
    ...(optimizer === "adamw" ? adamwFields : sgdFields),
    ...trainingFields,
  };
  for (const key of Object.keys(given)) {
    if (Object.hasOwn(fields, key)) continue;
    if (!Object.hasOwn(specFields, key)) throw unknownName("field", key, Object.keys(fields));
    const owner = Object.hasOwn(sgdFields, key) ? optimizer : `problem ${problem}`;
    throw new InputError(`invalid ${wordsOf(key)}: ${owner} has none (leave it out)`);
  }
  const result = z.strictObject(fields).safeParse({
    ...(isPlane(problem) && { lr: 0.1, steps: 1000, dtype: "float64" }),
    ...(optimizer === "adamw" && { lr: 0.001, weightDecay: 0.01 }),
    ...given,
  });
  if (!result.success) throw translate(result.error, given);
  return complete(result.data as unknown as RunSpec);
}

/** Check what involves several fields, and fill in what only names know. */
function complete(parsed: RunSpec): RunSpec {
  const { method: name, rho, settings, ...rest } = parsed;
  if (rest.optimizer === "sgd" && rest.nesterov && rest.momentum === 0) {
    throw new InputError("invalid nesterov: momentum is 0 (give a momentum, such as 0.9)");
  }
  if (isNetwork(parsed) && parsed.batch !== "full" && parsed.batch > parsed.n) {
    throw new InputError(
      `invalid batch: ${parsed.batch} of ${parsed.n} images (give "full" or at most ${parsed.n})`,
    );
  }
  if (!isNetwork(parsed) && parsed.separate && parsed.problem !== "quadratic") {
    throw new InputError(`invalid separate: problem ${parsed.problem} has none (leave it out)`);
  }
  const method = findMethod(name).name;
  if (rest.switch !== undefined && method === "gd") {
    throw new InputError(
      `invalid switch: ${rest.switch} from plain descent to itself (choose a method such as sam)`,
    );
  }
  if (rho !== undefined && settings["rho"] !== undefined) {
    throw new InputError(`invalid rho: ${rho} and ${show(settings["rho"])} (give it once)`);
  }
  const { rho: rhoOrDefault, ...others } = resolveSettings(method, {
    ...settings,
    ...(rho !== undefined && { rho }),
  });
  const { separate, ...fields } = { separate: false, ...rest };
  return {
    ...fields,
    ...(separate && { separate }),
    ...(!isNetwork(parsed) && {
      start: parsed.start ?? [...planes[parsed.problem].create().plane.start],
    }),
    method,
    ...(rhoOrDefault !== undefined && { rho: rhoOrDefault }),
    settings: others,
  } as RunSpec;
}

/** The first thing zod found wrong, in our words. */
function translate(error: z.ZodError, given: { readonly [field: string]: unknown }): InputError {
  const [issue] = error.issues as [z.core.$ZodIssue];
  const field = String(issue.path[0]);
  const value = given[field];
  if (issue.code === "invalid_value" && issue.values.length > 1) {
    return unknownName(wordsOf(field), String(value), issue.values.map(String));
  }
  return new InputError(`invalid ${wordsOf(field)}: ${show(value)} (${issue.message})`);
}

/** `weightDecay` as people say it: `weight decay`. */
const wordsOf = (field: string) => field.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

function show(value: unknown): string {
  if (Array.isArray(value)) return value.map(show).join(",");
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

/** JSON with keys in sorted order: equal values have equal texts. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, node: unknown) =>
    typeof node === "object" && node !== null && !Array.isArray(node)
      ? Object.fromEntries(Object.entries(node).sort(([a], [b]) => (a < b ? -1 : 1)))
      : node,
  );
}

/** Identity of a run: the first 16 hexadecimal digits of the SHA-256 of its canonical JSON. */
export async function specHash(spec: RunSpec): Promise<string> {
  const bytes = new TextEncoder().encode(canonicalJson(spec));
  return hexadecimal(await crypto.subtle.digest("SHA-256", bytes)).slice(0, 16);
}

/** Bytes as hexadecimal digits. */
export const hexadecimal = (bytes: ArrayBuffer): string =>
  Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
