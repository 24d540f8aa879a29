/** How a log is screened, as the address has it. */
import type { FieldsOf } from "../address.ts";
import type { Screening } from "./reader/protocol.ts";
import { decoded } from "./words.ts";

/** `gradNorm:train/gn,loss:train/loss` as names by column; `undefined` where nothing is named. */
export function parseMap(text: string): { readonly [column: string]: string } | undefined {
  const pairs = text.split(",").flatMap((pair): [string, string][] => {
    const at = pair.indexOf(":");
    return at > 0 ? [[pair.slice(0, at), decoded(pair.slice(at + 1))]] : [];
  });
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs);
}

/** The text with another name for a column; an empty one takes it out. */
export function mapText(text: string, column: string, name: string): string {
  const { [column]: _, ...rest } = parseMap(text) ?? {};
  return Object.entries(name === "" ? rest : { ...rest, [column]: name })
    .map(([key, value]) => `${key}:${value.replace(/[,%]/g, encodeURIComponent)}`)
    .join(",");
}

export const screeningOf = ({
  map,
  evidence,
}: Pick<FieldsOf<"runs">, "map" | "evidence">): Screening => ({
  map: parseMap(map),
  evidence: evidence === "header" ? undefined : evidence,
});
