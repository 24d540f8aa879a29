/** Studies: from one small file to a list of cells, every one a run with an identity. */
import { z } from "zod";
import { excerpt, InputError, unknownName } from "../engine/errors.ts";
import { randomStream } from "../engine/random.ts";
import { specFields, type SpecField } from "../run/fields.ts";
import { canonicalJson, parseSpec, specHash, type RunSpec } from "../run/spec.ts";

/** Fields of a run as people write them; texts are accepted as on the command line. */
export type CellFields = { readonly [Field in SpecField]?: unknown };

/**
 * What an axis runs over: values of the field it is named after (`null` leaves the field out), or
 * bundles of fields by label under a name of its own.
 *
 * @example
 * { rho: [1, 2], "settings.eta": [0.01, 0.1], remedy: { none: {}, switch: { switch: 0.1 } } }
 */
export interface Axes {
  readonly [axis: string]: readonly unknown[] | { readonly [label: string]: CellFields };
}

/**
 * `16`: seeds 0 … 15, the same ones at every other coordinate, so that all methods start from the
 * same parameters and see the same batches. A list: these seeds. `{ count, by }`: seeds derived
 * from the coordinates on the axes named by `by`, so that runs share a seed exactly where they
 * agree on these axes and on the repetition.
 */
export type Seeds =
  | number
  | readonly number[]
  | { readonly count: number; readonly by: readonly string[]; readonly base?: number };

/** What a preset may change: fields and axes one by one, everything else as a whole. */
export interface StudyPreset {
  readonly fixed?: CellFields;
  readonly axes?: Axes;
  readonly seeds?: Seeds;
  readonly steps?: number;
  readonly record?: number;
  readonly keep?: boolean;
  readonly certify?: boolean;
}

/** A study as people write it. */
export interface StudyFile extends StudyPreset {
  /** Letters, digits, dots, dashes: it names folders. */
  readonly name: string;
  /** The question it answers, for people. */
  readonly description?: string;
  /** Versions of the study by name. With presets, one of them must be chosen. */
  readonly presets?: { readonly [preset: string]: StudyPreset };
}

/** A study with everything decided. */
export interface Study {
  /** With the preset: `figure-5-quick`. */
  readonly name: string;
  readonly description: string;
  readonly fixed: CellFields;
  readonly axes: Axes;
  readonly seeds: Seeds;
  /**
   * Keep a row of a run's history of every so many steps; `null`: the smallest power of two that
   * keeps at most 256.
   */
  readonly record: number | null;
  /** Keep final parameters. */
  readonly keep: boolean;
  /** Certify end points in float64. */
  readonly certify: boolean;
}

/** Where a cell lies: its value, or its label, on every axis. */
export interface Coordinates {
  readonly [axis: string]: unknown;
}

/** Identity of a cell, which names its files: a hash as `specHash` makes it. */
export const cellId = z.string().regex(/^[0-9a-f]{16}$/);

/** One run of a study. */
export interface Cell {
  /** Hash of the spec. */
  readonly id: string;
  readonly at: Coordinates;
  readonly spec: RunSpec;
}

const words = "give a name of letters, digits, dots and dashes";
const name = z.string({ error: words }).regex(/^[A-Za-z0-9][A-Za-z0-9.-]*$/, { error: words });
const whole = "give a whole number, 1 or more";
const seedRange = "give whole numbers from 0 to 4294967295";
const seed = z
  .int({ error: seedRange })
  .gte(0, { error: seedRange })
  .lt(2 ** 32, { error: seedRange });
const count = z.int({ error: whole }).gte(1, { error: whole });
const fieldsSchema = z.record(z.string(), z.unknown(), {
  error: "give fields by name, such as rho",
});

const presetFields = {
  fixed: fieldsSchema,
  axes: z.record(
    z.string(),
    z.union(
      [
        z.array(z.unknown()).min(1, { error: "give one value or more" }),
        z.record(z.string(), fieldsSchema),
      ],
      {
        error: "give lists of values, such as { rho: [1, 2] }",
      },
    ),
    { error: "give lists of values, such as { rho: [1, 2] }" },
  ),
  seeds: z.union(
    [
      count,
      z.array(seed).min(1, { error: "give one seed or more" }),
      z.strictObject(
        { count, by: z.array(z.string()), base: seed.default(0) },
        { error: "give count, by and base, and nothing else" },
      ),
    ],
    { error: "give a count, a list, or { count, by }" },
  ),
  steps: count,
  record: count,
  keep: z.boolean({ error: "give true or false" }),
  certify: z.boolean({ error: "give true or false" }),
};
const presetSchema = z
  .strictObject(presetFields, { error: "give entries of the study, such as { steps: 100 }" })
  .partial();
const fileSchema = presetSchema.extend({
  name,
  description: z.string({ error: "give a text" }).optional(),
  presets: z.record(name, presetSchema, { error: "give versions of the study by name" }).optional(),
});
const fileKeys = Object.keys(fileSchema.shape);
const presetKeys = Object.keys(presetFields);

/** A study, checked by the compiler. The default export of a study file. */
export const defineStudy = (study: StudyFile): StudyFile => study;

/**
 * Check a study file and choose its preset.
 *
 * @throws {InputError} in one line: `unknown study entry "axis" (did you mean "axes"?)`
 */
export function parseStudy(input: unknown, preset?: string): Study {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw new InputError("invalid study: not an object (give name, fixed, axes, seeds, steps)");
  }
  checkKeys("study entry", input, fileKeys);
  const { presets: given } = input as { readonly presets?: unknown };
  if (typeof given === "object" && given !== null) {
    for (const [name, part] of Object.entries(given)) {
      if (typeof part === "object" && part !== null) {
        checkKeys(`entry in preset ${name}`, part, presetKeys);
      }
    }
  }
  const parsed = fileSchema.safeParse(input);
  if (!parsed.success) throw translate(parsed.error, input);
  const file = parsed.data;
  const chosen = choosePreset(file.presets ?? {}, preset);
  const merged = { ...file, ...chosen };
  const fixed = { ...file.fixed, ...chosen?.fixed };
  if (merged.steps !== undefined && fixed["steps"] !== undefined) {
    throw new InputError("invalid steps: given in the study and in fixed (give them once)");
  }
  return {
    name: preset === undefined ? file.name : `${file.name}-${preset}`,
    description: file.description ?? "",
    fixed: { ...fixed, ...(merged.steps !== undefined && { steps: merged.steps }) },
    axes: { ...file.axes, ...chosen?.axes },
    seeds: merged.seeds ?? 1,
    record: merged.record ?? null,
    keep: merged.keep ?? false,
    certify: merged.certify ?? false,
  };
}

function choosePreset<T>(presets: { readonly [name: string]: T }, preset: string | undefined) {
  const names = Object.keys(presets);
  if (preset === undefined) {
    if (names.length === 0) return undefined;
    throw new InputError(`missing preset (choose one with --preset: ${names.join(", ")})`);
  }
  if (names.length === 0) {
    throw new InputError(`unknown preset "${preset}" (this study has none; leave it out)`);
  }
  const found = Object.hasOwn(presets, preset) ? presets[preset] : undefined;
  if (found === undefined) throw unknownName("preset", preset, names);
  return found;
}

function checkKeys(what: string, given: object, known: readonly string[]): void {
  for (const key of Object.keys(given)) {
    if (!known.includes(key)) throw unknownName(what, key, known);
  }
}

function translate(error: z.ZodError, input: object): InputError {
  const [issue] = error.issues as [z.core.$ZodIssue];
  const [first, ...rest] = issue.path.map(String);
  const what = [first ?? "study", ...rest].join(".");
  if (first === "name" && (!("name" in input) || input.name === undefined)) {
    return new InputError(`missing name (${words})`);
  }
  const reason = issue.code === "invalid_key" ? words : issue.message;
  return new InputError(`invalid ${excerpt(what)}: ${reason}`);
}

/** More would not fit into the memory of an ordinary machine. */
const mostCells = 1_000_000;

/**
 * All cells of a study in a fixed order: seed by seed, the last axis fastest.
 *
 * @throws {InputError} when a cell is impossible or two cells are the same run.
 */
export async function expandStudy({ fixed, axes, seeds }: Study): Promise<Cell[]> {
  const lists = Object.entries(axes).map(([name, values]) => readAxis(name, values));
  const seedOf = seedRule(seeds, Object.keys(axes));
  const count = lists.reduce((product, { length }) => product * length, repetitions(seeds));
  if (count > mostCells) {
    const lengths = [repetitions(seeds), ...lists.map(({ length }) => length)].join(" × ");
    throw new InputError(
      `invalid study: ${lengths} = ${count} cells (give at most ${mostCells}, or several studies)`,
    );
  }
  const cells: Cell[] = [];
  const taken = new Map<string, Coordinates>();
  for (const repetition of range(repetitions(seeds))) {
    for (const points of product(lists)) {
      const coordinates = Object.fromEntries(points.map(({ axis, label }) => [axis, label]));
      const seed = seedOf(repetition, coordinates);
      const at = { ...coordinates, seed };
      const fields = points.reduce<CellFields>((all, { fields }) => merge(all, fields), {
        ...fixed,
        seed,
      });
      const spec = located(at, () => parseSpec(fields));
      const id = await specHash(spec);
      const other = taken.get(id);
      if (other !== undefined) {
        throw new InputError(
          `invalid axes: ${describeCoordinates(other)} and ${describeCoordinates(at)} are the same run (leave one out)`,
        );
      }
      taken.set(id, at);
      cells.push({ id, at, spec });
    }
  }
  return cells;
}

/** One value of an axis: what it is called and what it sets. */
interface AxisPoint {
  readonly axis: string;
  readonly label: unknown;
  readonly fields: CellFields;
}

function readAxis(axis: string, values: Axes[string]): AxisPoint[] {
  if (axis === "seed") {
    throw new InputError(
      "invalid axis seed: seeds have an entry of their own (give seeds: [0, 1])",
    );
  }
  if (!Array.isArray(values)) {
    const bundles = Object.entries(values as { readonly [label: string]: CellFields });
    return bundles.map(([label, fields]) => ({ axis, label, fields }));
  }
  const [, setting] = /^settings\.(.+)$/.exec(axis) ?? [];
  if (setting === undefined && !specFields.has(axis)) {
    throw unknownName("axis", axis, specFields.keys());
  }
  return values.map((value: unknown) => ({
    axis,
    label: value,
    fields: setting === undefined ? { [axis]: value } : { settings: { [setting]: value } },
  }));
}

/** Fields with those of `over` on top; settings are merged one by one, `null` leaves out. */
function merge(fields: CellFields, over: CellFields): CellFields {
  const settings = {
    ...(fields.settings as object | undefined),
    ...(over.settings as object | undefined),
  };
  const merged = { ...fields, ...over, settings };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
}

/** Every combination of one point per list, the last list fastest. */
function product<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>(
    (all, list) => all.flatMap((some) => list.map((one) => [...some, one])),
    [[]],
  );
}

function repetitions(seeds: Seeds): number {
  if (typeof seeds === "number") return seeds;
  return "by" in seeds ? seeds.count : seeds.length;
}

function seedRule(
  seeds: Seeds,
  axes: readonly string[],
): (repetition: number, at: Coordinates) => number {
  if (typeof seeds === "number") return (repetition) => repetition;
  if (!("by" in seeds)) return (repetition) => seeds[repetition] as number;
  const { by, base = 0 } = seeds;
  for (const axis of by)
    if (!axes.includes(axis)) throw unknownName("axis in seeds.by", axis, axes);
  return (repetition, at) => {
    const names = by.map((axis) => canonicalJson([axis, at[axis]]));
    return randomStream(base, "seeds", repetition, ...names.sort()).integer(2 ** 32);
  };
}

/** Name the cell in what goes wrong with it. */
function located<T>(at: Coordinates, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`${error.message} in cell ${describeCoordinates(at)}`, { cause: error });
  }
}

/** `rho=2 remedy=switch seed=0` */
export const describeCoordinates = (at: Coordinates): string =>
  Object.entries(at)
    .map(([axis, value]) => `${axis}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ");

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
