/** Settings of a run as the entries of its problem, data, method and training describe them. */
import { datasets, findProblem, problems } from "lucid-sam/problems";
import { specFields, type RunSpec } from "lucid-sam/run";
import { findMethod } from "lucid-sam/sam";
import type { z } from "zod";

/** A field of a run, to be set. */
export interface Setting {
  /** As addresses have it: `rho`, `set.alpha`. */
  readonly field: string;
  readonly label: string;
  readonly description: string;
  /** What there is to choose from; absent where anything may be written. */
  readonly words?: readonly string[] | undefined;
  /** The value as text; empty where there is none. */
  readonly value: string;
}

/** Neither files of its own nor of the reader. */
const isDrawn = (data: (typeof datasets)[number]) =>
  Object.keys(data.files).length === 0 && !("paths" in data);
/** Data sets that need no file, of a kind. */
const drawn = (kind: string) => datasets.filter((set) => set.kind === kind && isDrawn(set));

/** Networks that a browser can train: those whose data are drawn, or their own. */
export const networks = problems.filter(
  ({ kind, data }) => kind === "network" && (data === "none" || drawn(data).length > 0),
);

/** Signs that the field knows better than words. */
const signs: { readonly [field: string]: string } = { rho: "ρ", lr: "η" };
const label = (field: string) =>
  signs[field] ?? field.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** What a schema offers to choose from. */
function wordsOf(schema: unknown): readonly string[] | undefined {
  const { def } = schema as {
    readonly def: {
      readonly type: string;
      readonly innerType?: unknown;
      readonly in?: unknown;
      readonly out?: unknown;
      readonly entries?: { readonly [word: string]: string };
    };
  };
  if (def.type === "boolean") return ["false", "true"];
  if (def.type === "enum") return Object.values(def.entries ?? {});
  if (def.innerType) return wordsOf(def.innerType);
  if (def.type === "pipe") return wordsOf(def.in) ?? wordsOf(def.out);
  return undefined;
}

function textOf(value: unknown): string {
  if (value === undefined) return "";
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(",");
  return typeof value === "object" ? JSON.stringify(value) : `${value as number}`;
}

const settingOf = (spec: RunSpec, field: string, schema: z.ZodType): Setting => {
  const words = field === "optimizer" ? ["sgd", "adamw"] : wordsOf(schema);
  // Absent means off.
  const value = textOf(spec[field]) || (words?.includes("false") ? "false" : "");
  return { field, label: label(field), description: schema.description ?? "", words, value };
};

/** Fields that stand before all others. */
const first = ["rho", "lr", "steps", "seed", "hidden", "dtype"];

/** Settings of a run: those one turns all the time, and all others. */
export function settingsOf(spec: RunSpec): {
  readonly main: readonly Setting[];
  readonly others: readonly Setting[];
} {
  const { options, data } = findProblem(spec.problem);
  const own = Object.entries(options.shape);
  const ofData = datasets.find(({ name }) => name === spec.data)?.options.shape ?? {};
  const taken = new Set([...own.map(([field]) => field), ...Object.keys(ofData)]);
  const general = Array.from(specFields)
    .filter(([field]) => field in spec || training.includes(field) || imageField(data, field))
    .filter(([field]) => !taken.has(field) && !hidden.includes(field))
    .flatMap(([field, [use]]) => (use ? [[field, use.schema] as const] : []));
  const all = [...own, ...Object.entries(ofData), ...general]
    .filter(([field]) => field !== "rho" || "rho" in findMethod(spec.method).options.shape)
    .map(([field, schema]) => settingOf(spec, field, schema as z.ZodType))
    .map((setting) =>
      setting.field === "data"
        ? { ...setting, words: drawn(data).map(({ name }) => name) }
        : setting,
    );
  const ofMethod = Object.entries(findMethod(spec.method).options.shape)
    .filter(([name]) => name !== "rho")
    .map(([name, schema]) => ({
      ...settingOf(spec.settings as RunSpec, name, schema),
      field: `set.${name}`,
      label: `${spec.method}: ${name}`,
    }));
  const isMain = ({ field }: Setting) => first.includes(field);
  const rank = ({ field }: Setting) => first.indexOf(field);
  return {
    main: all.filter(isMain).sort((a, b) => rank(a) - rank(b)),
    others: [...ofMethod, ...all.filter((setting) => !isMain(setting))],
  };
}

/** Fields of training that a spec leaves out where they are off. */
const training = ["switch", "clip", "warmup"];
/** Those with a control of their own, or that mean another run's length. */
const hidden = ["problem", "method", "settings", "epochs"];
const imageFields = ["labelNoise", "crop", "flip", "cutout", "labelSmoothing", "penalty"];
const imageField = (data: string, field: string) =>
  data === "images" && imageFields.includes(field);

/** Changes that leave of a run only these fields. */
export function without(spec: RunSpec, kept: readonly string[]): { [field: string]: unknown } {
  const fields = [
    ...Object.keys(spec).filter((field) => field !== "settings"),
    ...Object.keys(spec.settings).map((name) => `set.${name}`),
  ];
  return Object.fromEntries(
    fields.filter((field) => !kept.includes(field)).map((field) => [field, undefined]),
  );
}
