/** Flags of the fields of a run, and the spec that flags describe. */
import { Option, type Command } from "@commander-js/extra-typings";
import { InputError, show } from "../../engine/errors.ts";
import { memoryLimit } from "../../platform/node/limits.ts";
import { checkMemory } from "../../run/memory.ts";
import { lossFields, specFields, type FieldUse, type SpecField } from "../../run/fields.ts";
import { parseSpec, type RunSpec } from "../../run/spec.ts";
import { placeholderOf } from "../../settings/fields.ts";
import { option, pairsOption } from "./arguments.ts";

/** The flag of a field: its description, default and placeholder are the field's own. */
export const fieldOption = (field: SpecField): Option => flagOf(field, specFields.get(field) ?? []);

function flagOf(field: string, uses: readonly FieldUse[]): Option {
  const flag = `--${kebab(field)}`;
  // What most problems mean by it is said first, what others mean after their names.
  const description = uses.map((use, i) => (i === 0 ? "" : `; ${use.of}: `) + describe(use));
  const [placeholder] = uses.flatMap(({ schema }) => placeholderOf(schema) ?? []);
  return placeholder === undefined
    ? new Option(flag, description.join(""))
    : option(`${flag} <${placeholder}>`, description.join(""));
}

const describe = ({ schema }: FieldUse): string =>
  withDefault(schema.description ?? "", schema.safeParse(undefined).data);

/** A description, and the default where it does not say it itself. */
export const withDefault = (description: string, value: unknown): string =>
  value === undefined || value === false || /\bdefault\b/.test(description)
    ? description
    : `${description} (default: ${show(value)})`;

/** `weightDecay` as a flag has it: `weight-decay`. */
export const kebab = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/**
 * Refuse a flag that another one is missing for: it would do nothing.
 *
 * @param owner the flag that is not given.
 * @throws {InputError} `invalid --out: it is for --refine (add that, or leave it out)`
 */
export function refuseWithout(owner: string, flags: object, names: readonly string[]): void {
  const [given] = names.filter((name) => name in flags);
  if (given !== undefined) {
    throw new InputError(
      `invalid --${kebab(given)}: it is for ${owner} (add that, or leave it out)`,
    );
  }
}

/** Flags that say what to run; the fields of a spec come as text. */
export interface SpecFlags {
  readonly set?: { readonly [key: string]: string };
}

/** Add the flags that say which loss: which problem, on which data. */
export function addLossOptions(command: { addOption(option: Option): unknown }): void {
  for (const [field, uses] of lossFields) command.addOption(flagOf(field, uses));
}

/** Those of the flags that say which loss. */
export const lossOf = (flags: object): { readonly [field: string]: unknown } =>
  Object.fromEntries(Object.entries(flags).filter(([flag]) => lossFields.has(flag)));

/** Add a flag for every field of a spec. */
export function addSpecOptions<C extends Command>(command: C): C {
  addLossOptions(command.optionsGroup("What to train:"));
  command.optionsGroup("How to train:");
  for (const [field, uses] of specFields) {
    if (lossFields.has(field)) continue;
    command.addOption(
      field === "settings"
        ? pairsOption("--set <key=value>", "another setting of the method; may be repeated")
        : flagOf(field, uses),
    );
  }
  return command;
}

/** The spec that flags describe. */
export function specOf(flags: SpecFlags): RunSpec {
  const fields = Object.entries(flags).filter(([flag]) => specFields.has(flag));
  const spec = parseSpec({
    ...Object.fromEntries(fields),
    settings: flags.set,
  });
  checkMemory(spec, memoryLimit());
  return spec;
}
