/** Checksums of JSON texts: what is stored says whether it is still what was written. */
import { crc32, crcText } from "../engine/crc32.ts";

const ending = /,\s*"check":\s*"([0-9a-f]{8})"\s*\}\s*$/;

/** JSON of an object that has something in it, ended by an entry `check`: a CRC-32 of all before. */
export function formatChecked(
  value: object,
  indent?: number,
  replacer?: (key: string, value: unknown) => unknown,
): string {
  const json = JSON.stringify(value, replacer, indent);
  const [end = "}"] = /\s*\}$/.exec(json) ?? [];
  const body = json.slice(0, -end.length);
  const space = indent === undefined ? "" : " ";
  const line = indent === undefined ? "" : `\n${" ".repeat(indent)}`;
  return `${body},${line}"check":${space}"${checksum(body)}"${end}`;
}

/**
 * The text of the object alone; `undefined` when it is not what was written. Texts without a
 * checksum, which older versions wrote, come back as they are.
 */
export function withoutCheck(text: string): string | undefined {
  const found = ending.exec(text);
  // An entry of that name that is no checksum, or not at the end, is one that was damaged.
  if (found === null) return hasCheck(fromJson(text)) ? undefined : text;
  const body = text.slice(0, found.index);
  return checksum(body) === found[1] ? `${body}}` : undefined;
}

/** What a JSON text says; `undefined` when it is none. */
export function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const hasCheck = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.hasOwn(value, "check");

const checksum = (text: string) => crcText(crc32(new TextEncoder().encode(text)));
