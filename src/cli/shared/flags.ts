/** From fields of a run to flags, and from flags to values. */
import { Option, type Command } from "@commander-js/extra-typings";
import type { z } from "zod";
import { InputError } from "../../engine/errors.ts";
import { parseSpec, specFields, type RunSpec, type SpecField } from "../../run/spec.ts";

/** An option that refuses the flag after it, or nothing, as its value. */
export function option(flags: string, description: string): Option {
  const made = new Option(flags, description);
  return made.argParser((value) => {
    if (value === "" || value.startsWith("--")) {
      throw new InputError(`missing value for ${made.long}`);
    }
    return value;
  });
}

/** An option that may be given several times, as `key=value`. */
export function pairs(flags: string, description: string): Option {
  const made = new Option(flags, description);
  return made.argParser((text, before: unknown) => {
    const at = text.indexOf("=");
    if (at < 1) {
      throw new InputError(`invalid ${made.long}: ${text} (give key=value)`);
    }
    const [key, value] = [text.slice(0, at), text.slice(at + 1)];
    if (value === "") throw new InputError(`missing value for ${made.long} ${key}`);
    return { ...(before as object | undefined), [key]: value };
  });
}

/** The flag of a field: its description and default are the field's own. */
export function fieldOption(field: SpecField, placeholder?: string): Option {
  const flag = `--${kebab(field)}`;
  const description = describe(field);
  return placeholder === undefined
    ? new Option(flag, description)
    : option(`${flag} <${placeholder}>`, description);
}

function describe(field: SpecField): string {
  const schema: z.ZodType = specFields[field];
  const text = schema.description ?? "";
  const { data } = schema.safeParse(undefined) as { data?: string | number | boolean | number[] };
  if (data === undefined || data === false || text.includes("default")) return text;
  return `${text} (default: ${data.toString()})`;
}

/** `weightDecay` as a flag has it: `weight-decay`. */
export const kebab = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Flags that say what to run; the fields of a spec come as text. */
export interface SpecFlags {
  readonly set?: { readonly [key: string]: string };
}

/** Add the flags that say which loss, a plane's or a network's on its data. */
export function addLossOptions(command: { addOption(option: Option): unknown }): void {
  command.addOption(fieldOption("problem", "name"));
  command.addOption(fieldOption("data", "name"));
  command.addOption(fieldOption("n", "count"));
  command.addOption(fieldOption("pool", "side"));
  command.addOption(fieldOption("normalization", "kind"));
  command.addOption(fieldOption("hidden", "widths"));
  command.addOption(fieldOption("activation", "name"));
}

/** Add a flag for every field of a spec. */
export function addSpecOptions<C extends Command>(command: C): C {
  addLossOptions(command.optionsGroup("What to train:"));
  command
    .addOption(fieldOption("start", "x,y"))
    .addOption(fieldOption("separate"))
    .optionsGroup("How to train:")
    .addOption(fieldOption("method", "name"))
    .addOption(fieldOption("rho", "number"))
    .addOption(pairs("--set <key=value>", "another setting of the method; may be repeated"))
    .addOption(fieldOption("switch", "fraction"))
    .addOption(fieldOption("optimizer", "name"))
    .addOption(fieldOption("lr", "number"))
    .addOption(fieldOption("momentum", "number"))
    .addOption(fieldOption("nesterov"))
    .addOption(fieldOption("weightDecay", "number"))
    .addOption(fieldOption("clip", "norm"))
    .addOption(fieldOption("schedule", "kind"))
    .addOption(fieldOption("steps", "count"))
    .addOption(fieldOption("batch", "full|N"))
    .addOption(fieldOption("seed", "number"))
    .addOption(fieldOption("dtype", "type"));
  return command;
}

/** The spec that flags describe. */
export function specOf(flags: SpecFlags): RunSpec {
  const fields = Object.entries(flags).filter(([flag]) => Object.hasOwn(specFields, flag));
  return parseSpec({
    ...Object.fromEntries(fields),
    ...(flags.set && { settings: flags.set }),
  });
}
