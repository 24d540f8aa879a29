/**
 * Addresses of the lab: every state is one. `#planes?problem=ridge&rho=1.6&start=1,0.5` names a view,
 * the fields of a run as its spec has them (settings of the method as `set.NAME`), and fields of the
 * view. What an address leaves out has its default, and what it does not know is refused.
 */
import { InputError, unknownName } from "lucid-sam/engine";
import { findProblem } from "lucid-sam/problems";
import { parseSpec, specFields, type RunSpec } from "lucid-sam/run";
import type { z } from "zod";
import { networkFields, networkPreset } from "./networks/fields.ts";
import { mostSteps, planeFields, planePreset } from "./planes/fields.ts";
import { parseTurn, turned } from "./networks/turns.ts";
import { runFields } from "./runs/fields.ts";
import { isViewName, viewNameOf, views, type ViewName } from "./views.ts";

/** Fields of each view's address beside those of a run. */
export const viewFields = {
  planes: planeFields,
  networks: networkFields,
  runs: runFields,
} as const;

/** Runs of the views that show one, where an address names no problem. */
const presets = { planes: planePreset, networks: networkPreset } as const;

/** Views that show a run to compute. */
export type SpecView = keyof typeof presets;

/** The fields of a view, with every default filled in. */
export type FieldsOf<View extends ViewName> = z.output<(typeof viewFields)[View]>;

/** What an address says. */
export interface Address<View extends ViewName = ViewName> {
  readonly view: View;
  /** The run, in canonical form. */
  readonly spec: View extends SpecView ? RunSpec : undefined;
  readonly fields: FieldsOf<View>;
}

/** What differs in the next address: fields of the run (`undefined`: its default) and of the view. */
export interface Change<View extends ViewName> {
  readonly spec?: { readonly [field: string]: unknown } | undefined;
  readonly fields?: Partial<FieldsOf<View>> | undefined;
}

/**
 * Read an address, which begins with `#`; an empty one is that of the planes.
 *
 * @throws {InputError} in one line: `unknown field "rhoo" (did you mean "rho"?)`
 */
export function parseAddress(hash: string): Address {
  const name = viewNameOf(hash);
  if (!isViewName(name)) {
    throw new InputError(`unknown view "${name}" (choose from ${Object.keys(views).join(", ")})`);
  }
  const given = readQuery(hash.slice(hash.indexOf("?") + 1 || hash.length));
  const shape = viewFields[name].shape;
  const own = Object.entries(given).filter(([field]) => Object.hasOwn(shape, field));
  const rest = Object.entries(given).filter(([field]) => !Object.hasOwn(shape, field));
  return addressOf(name, Object.fromEntries(rest), Object.fromEntries(own));
}

function addressOf(
  view: ViewName,
  given: { readonly [field: string]: unknown },
  own: { readonly [field: string]: unknown },
): Address {
  const fields = readFields(view, own);
  if (view === "runs") {
    const [unknown] = Object.keys(given);
    if (unknown === undefined) return { view, spec: undefined, fields };
    throw new InputError(
      `unknown field "${unknown}" (choose from ${Object.keys(viewFields[view].shape).join(", ")})`,
    );
  }
  const unknown = Object.keys(given).find((field) => !specFields.has(field));
  // What the view has is offered beside what the run has.
  if (unknown !== undefined) throw unknownField(unknown, view);
  const spec = parseSpec("problem" in given ? given : { ...presets[view], ...given });
  if (view === "planes" && findProblem(spec.problem).kind !== "plane") {
    throw new InputError(
      `invalid problem: ${spec.problem} is no plane (open it in Networks, or choose ridge)`,
    );
  }
  if (view === "networks") checkTurns(spec, fields as FieldsOf<"networks">);
  if (view === "planes" && spec.steps > mostSteps) {
    throw new InputError(
      `invalid steps: ${spec.steps} (on planes give at most ${mostSteps}, or use the command line)`,
    );
  }
  return { view, spec, fields };
}

/**
 * What takes over on the way must be able to.
 *
 * @throws {InputError} for an unknown method, or a ρ that it cannot have.
 */
function checkTurns(spec: RunSpec, { turns, fork }: FieldsOf<"networks">): void {
  for (const text of [...turns, ...(fork === undefined ? [] : [fork])]) {
    turned(spec, parseTurn(text));
  }
}

/** The address, from `#` on: what has its default is left out. */
export function formatAddress<View extends ViewName>(address: Address<View>): string {
  const { view, spec, fields } = address;
  const defaults = viewFields[view].parse({}) as { readonly [field: string]: unknown };
  const pairs = [
    ...(spec ? pairsOf(spec) : []),
    ...Object.entries(fields).filter(([field, value]) => textOf(value) !== textOf(defaults[field])),
  ];
  const query = pairs.map(([field, value]) => `${field}=${readable(textOf(value))}`);
  return `#${view}${query.length > 0 ? `?${query.join("&")}` : ""}`;
}

/**
 * The address after a change. Another problem, method or optimizer brings its own defaults; what
 * the reader has set of the fields that it has too stays.
 *
 * @throws {InputError} as {@link parseAddress} does.
 */
export function changeAddress<View extends ViewName>(
  address: Address<View>,
  { spec: changes = {}, fields = {} }: Change<View>,
): Address<View> {
  const { view, spec } = address;
  const given = spec ? specInput({ ...Object.fromEntries(pairsOf(spec)), ...changes }) : {};
  return addressOf(view, given, { ...address.fields, ...fields }) as Address<View>;
}

/** The command that runs the same: `lucid train --problem ridge --rho 1.6`. */
export function commandOf(spec: RunSpec): string {
  const flags = pairsOf(spec).map(([field, value]) => {
    const setting = /^set\.(.*)$/.exec(field);
    const text = quoted(setting ? `${setting[1]}=${textOf(value)}` : textOf(value));
    const flag = setting ? "set" : field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return value === true ? `--${flag}` : `--${flag} ${text}`;
  });
  return ["lucid train", ...flags].join(" ");
}

/** A value as a shell takes it for one word. */
const quoted = (text: string) =>
  /^[\w.,:/@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** What makes a spec: its problem, and the fields and settings that differ from what that implies. */
function pairsOf(spec: RunSpec): [field: string, value: unknown][] {
  const naming = ["problem", "data", "optimizer", "method"];
  const named = Object.fromEntries(
    Object.entries(spec).filter(([field]) => naming.includes(field)),
  );
  const implied = parseSpec(named) as { readonly [field: string]: unknown };
  const pairs = Object.entries(spec).flatMap(([field, value]): [string, unknown][] => {
    const fallback = implied[field];
    if (field === "problem") return [[field, value]];
    if (field === "settings") return settingsOf(value, fallback);
    if (naming.includes(field)) return defaultNames(spec)[field] === value ? [] : [[field, value]];
    return textOf(value) === textOf(fallback) ? [] : [[field, value]];
  });
  return pairs.sort(([a], [b]) => Number(b === "problem") - Number(a === "problem"));
}

/** Names that a run of this problem has where it gives none. */
const defaultNames = ({ problem }: RunSpec) =>
  parseSpec({ problem }) as { readonly [field: string]: unknown };

function settingsOf(value: unknown, fallback: unknown): [string, unknown][] {
  const implied = fallback as { readonly [name: string]: unknown };
  return Object.entries(value as object).flatMap(([name, setting]): [string, unknown][] =>
    textOf(setting) === textOf(implied[name]) ? [] : [[`set.${name}`, setting]],
  );
}

/** Pairs as the input of a spec has them. */
function specInput(pairs: { readonly [field: string]: unknown }): {
  readonly [field: string]: unknown;
} {
  const settings = Object.entries(pairs).filter(([field]) => field.startsWith("set."));
  const others = Object.entries(pairs).filter(
    ([field, value]) => !field.startsWith("set.") && value !== undefined,
  );
  const given = settings.filter(([, value]) => value !== undefined);
  return {
    ...Object.fromEntries(others),
    ...(given.length > 0 && {
      settings: Object.fromEntries(given.map(([field, value]) => [field.slice(4), value])),
    }),
  };
}

/** A value as flags and addresses have it. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(textOf).join(",");
  return String(value);
}

/** Percent signs only where an address needs them. */
const readable = (text: string) =>
  encodeURIComponent(text).replace(/%(2C|2F|3A|40)/g, (code) => decodeURIComponent(code));

/** @throws {InputError} for a field that is given twice. */
function readQuery(query: string): { readonly [field: string]: unknown } {
  const pairs: { [field: string]: string } = Object.create(null) as {};
  for (const [field, value] of new URLSearchParams(query)) {
    if (field in pairs) throw new InputError(`invalid ${field}: given twice (give it once)`);
    if (field === "settings") throw unknownField(field, undefined);
    pairs[field] = value;
  }
  return specInput({ ...pairs });
}

function readFields<View extends ViewName>(
  view: View,
  given: { readonly [field: string]: unknown },
): FieldsOf<View> {
  const result = viewFields[view].safeParse(given);
  if (result.success) return result.data as FieldsOf<View>;
  const [issue] = result.error.issues;
  const field = String(issue?.path[0]);
  throw new InputError(`invalid ${field}: ${textOf(given[field])} (${issue?.message})`);
}

function unknownField(field: string, view: ViewName | undefined): InputError {
  const own = view ? Object.keys(viewFields[view].shape) : [];
  return unknownName("field", field, [...own, ...specFields.keys()]);
}
