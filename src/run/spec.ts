/** Specs of runs: everything that decides the numbers of a run, and nothing else. */
import { z } from "zod";
import { InputError, show, unknownName } from "../engine/errors.ts";
import type { DatasetEntry } from "../problems/datasets/entry.ts";
import { datasets, findDataset } from "../problems/datasets/registry.ts";
import type { ProblemEntry } from "../problems/entry.ts";
import { findProblem } from "../problems/registry.ts";
import { findMethod, resolveSettings } from "../sam/registry.ts";
import { optimizerFields, problemShape, specFields, trainingFields } from "./fields.ts";

const training = z.object(trainingFields);
const sgd = z.object(optimizerFields.sgd);
const adamw = z.object(optimizerFields.adamw);

/** How to move: an optimizer and its settings. */
export type OptimizerSpec = z.output<typeof sgd> | z.output<typeof adamw>;

/**
 * A run in canonical form: every default filled in, aliases resolved, nothing irrelevant. Equal
 * runs have equal specs. What does not belong to the question asked (engine, threads, how often
 * to record) is not part of it.
 */
export type RunSpec = z.output<typeof training> &
  OptimizerSpec & {
    readonly problem: string;
    /** What is learned, where the problem learns a data set. */
    readonly data?: string | undefined;
    /** Further options of the problem and of its data. */
    readonly [option: string]: unknown;
  };

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
  const { problem: name = "mlp", data, optimizer = "sgd" } = given;
  const problem = findProblem(show(name));
  const offered = datasets.filter(({ kind }) => kind === problem.data);
  const dataset =
    offered.length > 0 ? findDataset(show(data ?? offered[0]?.name), offered) : undefined;
  if (optimizer !== "sgd" && optimizer !== "adamw") {
    throw unknownName("optimizer", show(optimizer), Object.keys(optimizerFields));
  }
  const schema = schemaOf(problem, dataset, optimizer);
  for (const key of Object.keys(given)) {
    if (Object.hasOwn(schema.shape, key)) continue;
    if (!specFields.has(key)) throw unknownName("field", key, Object.keys(schema.shape));
    const ofDataset = offered.some(({ options }) => Object.hasOwn(options.shape, key));
    const owner = Object.hasOwn(optimizerFields.sgd, key)
      ? optimizer
      : dataset && ofDataset
        ? `data ${dataset.name}`
        : `problem ${problem.name}`;
    throw new InputError(`invalid ${wordsOf(key)}: ${owner} has none (leave it out)`);
  }
  const result = schema.safeParse({
    ...problem.defaults,
    ...(optimizer === "adamw" && { lr: 0.001, weightDecay: 0.01 }),
    ...given,
    problem: problem.name,
  });
  if (!result.success) throw translate(result.error, given);
  if (given["epochs"] !== undefined && given["steps"] !== undefined) {
    throw new InputError(
      `invalid epochs: ${show(given["epochs"])} beside ${show(given["steps"])} steps (give one of them)`,
    );
  }
  return complete(inSteps(result.data as unknown as RunSpec));
}

const schemas = new Map<string, z.ZodObject>();

/** What a run of these may say. Made once: studies have thousands of runs alike, and zod compiles what it makes. */
function schemaOf(
  problem: ProblemEntry,
  dataset: DatasetEntry | undefined,
  optimizer: keyof typeof optimizerFields,
): z.ZodObject {
  const key = [problem.name, dataset?.name, optimizer].join(" ");
  const made = schemas.get(key);
  if (made) return made;
  const schema = z.strictObject({
    ...problemShape(problem, dataset),
    ...optimizerFields[optimizer],
    ...trainingFields,
  });
  schemas.set(key, schema);
  return schema;
}

/** A run whose length was given in epochs: its canonical form has steps. */
function inSteps({ epochs, ...spec }: RunSpec): RunSpec {
  if (epochs === undefined) return spec;
  return { ...spec, steps: Math.max(1, epochs * stepsPerEpoch(spec)) };
}

/**
 * Steps of one pass over the training samples; the last, incomplete batch is dropped.
 *
 * @throws {InputError} where only the problem itself knows how many samples there are.
 */
export function stepsPerEpoch(
  spec: Pick<RunSpec, "batch" | "problem" | "data"> & { readonly [option: string]: unknown },
): number {
  const { batch, n, problem, data } = spec;
  if (batch === "full") return 1;
  const dataset = datasets.find(({ name }) => name === data);
  const samples = n ?? dataset?.count?.(spec);
  if (typeof samples === "number") return Math.max(1, Math.floor(samples / batch));
  throw new InputError(
    `invalid epochs: problem ${problem} says how many samples it has once it is made (give steps)`,
  );
}

/** Check what involves several fields, and fill in what only names know. */
function complete(parsed: RunSpec): RunSpec {
  const { method: name, rho, settings, ...rest } = parsed;
  const { batch, n } = parsed;
  if (rest.optimizer === "sgd" && rest.nesterov && rest.momentum === 0) {
    throw new InputError("invalid nesterov: momentum is 0 (give a momentum, such as 0.9)");
  }
  if (typeof n === "number" && batch !== "full" && batch > n) {
    throw new InputError(
      `invalid batch: ${batch} of ${n} ${rest.data ? "images" : "samples"} (give "full" or at most ${n})`,
    );
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
  if (parsed.dtype === "float32") {
    for (const [name, value] of Object.entries({ ...rest, rho: rhoOrDefault, ...others })) {
      checkFloat32(name, value);
    }
  }
  const fields = { ...rest, method, rho: rhoOrDefault, settings: others };
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as unknown as RunSpec;
}

/** Numbers that float32 cannot hold would silently ask another question. */
function checkFloat32(name: string, value: unknown): void {
  // Schedules are texts with numbers in them.
  const texts = typeof value === "string" && /^[a-z]+\(/.test(value) && value.match(/[-+.\de]+/g);
  const numbers = Array.isArray(value) ? (value as unknown[]) : texts ? texts.map(Number) : [value];
  for (const number of numbers) {
    if (typeof number !== "number") continue;
    const held = Math.fround(number);
    if ((Number.isFinite(number) && !Number.isFinite(held)) || (held === 0 && number !== 0)) {
      throw new InputError(
        `invalid ${wordsOf(name)}: ${show(value)} (float32 makes it ${held}; give another, or dtype float64)`,
      );
    }
  }
}

/** The first thing zod found wrong, in our words. */
function translate(error: z.ZodError, given: { readonly [field: string]: unknown }): InputError {
  const [issue] = error.issues as [z.core.$ZodIssue];
  const field = String(issue.path[0]);
  const value = given[field];
  if (issue.code === "invalid_value" && issue.values.length > 1) {
    return unknownName(wordsOf(field), show(value), issue.values.map(String));
  }
  return new InputError(`invalid ${wordsOf(field)}: ${show(value)} (${issue.message})`);
}

/** `weightDecay` as people say it: `weight decay`. */
const wordsOf = (field: string) => field.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

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
