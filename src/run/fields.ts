/** Fields of a run: those of training, and those that problems and data sets bring. */
import { z } from "zod";
import { datasets, type DatasetOption } from "../problems/datasets/registry.ts";
import type { DatasetEntry } from "../problems/datasets/entry.ts";
import { imageFields, recipeFields } from "../problems/datasets/images.ts";
import type { ProblemEntry, TrainingDefaults } from "../problems/entry.ts";
import { problems, type ProblemOption } from "../problems/registry.ts";
import {
  choice,
  flag,
  fromText,
  number,
  optional,
  shownAs,
  unlessDefault,
} from "../settings/fields.ts";

const samples = 'give "full" or a whole number, 1 or more';

const problemField = shownAs(
  "name",
  z
    .string()
    .default("mlp")
    .describe("what to train; `lucid problems` lists all; or a file of your own, ./mine.ts"),
);

/** Names of the data sets of a kind; the first is the default. */
const named = (kind: DatasetEntry["kind"]) =>
  datasets.filter((dataset) => dataset.kind === kind).map(({ name }) => name) as [
    string,
    ...string[],
  ];

const dataOf = (kind: DatasetEntry["kind"], description: string) =>
  choice(named(kind), named(kind)[0], description);

/** Fields of a run whose problem learns a data set, by the kind of data. */
const dataFields = {
  images: { data: dataOf("images", "images to learn"), ...imageFields, ...recipeFields },
  tokens: { data: dataOf("tokens", "sequences to learn") },
  graph: { data: dataOf("graph", "graph to learn") },
  none: {},
  file: {
    data: shownAs(
      "FILE",
      z.string().optional().describe("table for a problem file, as comma-separated values"),
    ),
  },
};

const weightDecay = number(0, "λ of the weight decay; default 0, or 0.01 for adamw", { min: 0 });

/** Fields of each optimizer. */
export const optimizerFields = {
  sgd: {
    optimizer: shownAs(
      "name",
      z.literal("sgd").default("sgd").describe("how to move: sgd or adamw"),
    ),
    momentum: number(0, "μ of SGD's momentum", { min: 0, below: 1 }),
    nesterov: flag(false, "look ahead along SGD's momentum"),
    weightDecay,
    decoupled: unlessDefault(
      flag(false, "SGD's weight decay apart from gradient and momentum: x ← (1 − ηλ)x − ηv"),
    ),
  },
  adamw: { optimizer: z.literal("adamw"), weightDecay },
};

/**
 * Mark a field whose values a compiled program takes as they come: runs that differ in knobs alone
 * share one.
 */
const knob = <Field extends z.ZodType>(field: Field): Field =>
  field.meta({ ...field.meta(), knob: true });

const methodFields = {
  method: shownAs(
    "name",
    z.string().default("sam").describe("how to train; `lucid methods` lists all"),
  ),
  rho: knob(
    shownAs(
      "number",
      z
        .union([z.number(), z.string()], { error: "give a number, 0 or more" })
        .optional()
        .describe("ρ, how far the method looks ahead; default: the method's own"),
    ),
  ),
  settings: z
    .record(z.string(), z.unknown(), { error: "give settings by name" })
    .default({})
    .describe("further settings of the method"),
  switch: knob(
    shownAs(
      "fraction",
      optional(
        number(0.1, "plain descent for this fraction of the run, then the method", {
          min: 0,
          max: 1,
        }),
      ),
    ),
  ),
};

const stepFields = {
  lr: knob(
    number(0.01, `learning rate η; ${defaultsOf("lr", 0.01)}, 0.001 for adamw`, { above: 0 }),
  ),
  schedule: knob(
    shownAs(
      "kind",
      choice(
        ["constant", "cosine", "step"],
        "constant",
        "learning rate over the run: held, half a cosine down to 0, a tenth at 1/2 and again at 3/4",
      ),
    ),
  ),
  warmup: knob(
    shownAs(
      "fraction",
      unlessDefault(
        number(
          0,
          "raise the learning rate from 0 over this fraction of the run, before its schedule",
          {
            min: 0,
            below: 1,
          },
        ),
      ),
    ),
  ),
  clip: shownAs(
    "norm",
    optional(
      number(1, "scale the direction of a step down to this norm where it is longer", {
        above: 0,
      }),
    ),
  ),
  steps: knob(
    number(5000, `length of the run; ${defaultsOf("steps", 5000)}`, { min: 1, integer: true }),
  ),
  epochs: optional(
    number(1, "length of the run in passes over the training samples, instead of steps", {
      min: 1,
      integer: true,
    }),
  ),
  batch: shownAs(
    "full|N",
    z
      .preprocess(
        fromText,
        z.union([z.literal("full"), z.int({ error: samples }).gte(1, { error: samples })], {
          error: samples,
        }),
      )
      .default("full")
      .describe("samples per step"),
  ),
  seed: knob(
    shownAs(
      "number",
      number(0, "seed of initial parameters, batches and noise", {
        min: 0,
        max: 2 ** 32 - 1,
        integer: true,
      }),
    ),
  ),
  dtype: shownAs(
    "type",
    choice(["float32", "float64"], "float32", `precision; ${defaultsOf("dtype", "float32")}`),
  ),
};

/** Fields of every run, whatever the problem and the optimizer. */
export const trainingFields = { ...methodFields, ...stepFields };

const knobs = Object.entries(trainingFields).flatMap(([field, schema]) =>
  schema.meta()?.["knob"] === true ? [field] : [],
);

/** Whether runs that differ in this field alone share a compiled program. */
export const isKnob = (field: string): boolean => knobs.includes(field);

/** Fields that say which problem, and on which data. */
export const problemShape = (
  { options, data }: ProblemEntry,
  dataset: DatasetEntry | undefined,
): { readonly [field: string]: z.ZodType } => ({
  problem: problemField,
  ...dataFields[data],
  ...dataset?.options.shape,
  ...options.shape,
});

/** Name of a field that says which problem, and on which data. */
export type LossField =
  "problem" | keyof (typeof dataFields)["images"] | DatasetOption | ProblemOption;

/** Name of a field that some run has. */
export type SpecField =
  LossField | keyof typeof trainingFields | keyof (typeof optimizerFields)["sgd"];

/** A field as one problem, or several, have it. */
export interface FieldUse {
  readonly schema: z.ZodType;
  /** Whose it is, where that must be said: `regression`, `planes`. */
  readonly of: string;
}

/** What problems of a kind, or one problem, are called in a list of owners. */
function ownerOf({ kind, name }: ProblemEntry): string {
  return kind === "plane" ? "planes" : name;
}

/** Fields that say which problem, and on which data, with all their meanings, in order of their first use. */
export const lossFields: ReadonlyMap<string, readonly FieldUse[]> = gather([
  ...problems.flatMap((problem) =>
    Object.entries(problemShape(problem, undefined)).map(
      ([field, schema]) => [field, { schema, of: ownerOf(problem) }] as const,
    ),
  ),
  ...datasets.flatMap(({ name, options }) =>
    Object.entries(options.shape).map(
      ([field, schema]) => [field, { schema: schema as z.ZodType, of: name }] as const,
    ),
  ),
]);

/** Every field a run may have, with all its meanings, in the order in which help lists them. */
export const specFields: ReadonlyMap<string, readonly FieldUse[]> = new Map([
  ...lossFields,
  ...gather(
    Object.entries({ ...methodFields, ...optimizerFields.sgd, ...stepFields }).map(
      ([field, schema]) => [field, { schema, of: "training" }] as const,
    ),
  ),
]);

/** Meanings by field; equal descriptions are one meaning. */
function gather(uses: readonly (readonly [field: string, use: FieldUse])[]) {
  const all = new Map<string, FieldUse[]>();
  for (const [field, use] of uses) {
    const known = all.get(field) ?? [];
    const same = known.some(({ schema }) => schema.description === use.schema.description);
    all.set(field, same ? known : [...known, use]);
  }
  return all;
}

/** `default 5000, 1000 on planes`: a default of training, and where problems have another one. */
function defaultsOf(field: keyof TrainingDefaults, general: string | number): string {
  const owners = new Map<string | number, Set<string>>();
  for (const problem of problems) {
    const own = problem.defaults?.[field];
    if (own === undefined || own === general) continue;
    owners.set(own, (owners.get(own) ?? new Set()).add(ownerOf(problem)));
  }
  const others = Array.from(owners, ([own, of]) => `${own} on ${[...of].join(" and ")}`);
  return `default ${[general, ...others].join(", ")}`;
}
