/** From fields of a run to flags, and from flags to values. */
import { Option } from "@commander-js/extra-typings";
import type { z } from "zod";
import { InputError } from "../engine/errors.ts";
import { specFields, type SpecField } from "../study/spec.ts";

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
