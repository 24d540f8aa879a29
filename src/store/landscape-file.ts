/** Landscape files: places and what is known of them, a line each; a killed command goes on where it was. */
import { z } from "zod";
import { InputError } from "../engine/errors.ts";
import { keyOf, type Place } from "../diagnostics/landscape/grid.ts";
import { layers } from "../diagnostics/landscape/landscape.ts";
import { openAppend, type AppendFile } from "../platform/node/append.ts";
import { readText } from "../platform/node/files.ts";
import { formatChecked, fromJson, withoutCheck } from "../run/checked.ts";

/** Version of the layout of landscape files. */
const format = 1;

/** All that decides the numbers of a landscape. */
export interface LandscapeIdentity {
  /** CRC-32 of the point and of each axis. */
  readonly point: string;
  readonly axes: readonly string[];
  readonly rho: number;
  readonly dtype: string;
  /** The problem's part of the spec. */
  readonly problem: unknown;
}

/** A landscape file that is being written to. */
export interface LandscapeFile {
  readonly known: Map<string, Place>;
  append(places: readonly Place[]): Promise<void>;
  close(): Promise<void>;
}

const placeSchema = z.object({
  place: z.array(z.number()),
  ...Object.fromEntries(layers.map((layer) => [layer, z.number().nullable().optional()])),
});

/**
 * Open a landscape file, making it where there is none.
 *
 * @throws {InputError} when it is not one, is damaged, or is of another landscape.
 */
export async function openLandscape(
  path: string,
  identity: LandscapeIdentity,
): Promise<LandscapeFile> {
  const file = await openAppend(path);
  try {
    const known = file.length === 0 ? new Map<string, Place>() : await read(path, identity, file);
    if (file.length === 0) await file.append(`${formatChecked({ format, ...identity })}\n`);
    return {
      known,
      append: (places) => file.append(places.map((place) => `${formatChecked(place)}\n`).join("")),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function read(
  path: string,
  identity: LandscapeIdentity,
  file: AppendFile,
): Promise<Map<string, Place>> {
  const text = await readText(path);
  const damaged = (line: number) =>
    new InputError(
      `invalid file ${path}: line ${line} is damaged (delete the file and start anew)`,
    );
  const lines = text.split("\n");
  // A crash may have cut off the last line; the next one must begin on a line of its own.
  if (lines.pop() !== "") await file.append("\n");
  const [head = "", ...rest] = lines;
  const found = fromJson(withoutCheck(head) ?? "");
  if (JSON.stringify(found) !== JSON.stringify({ format, ...identity })) {
    if (typeof found !== "object" || found === null || !("format" in found)) throw damaged(1);
    throw new InputError(
      `invalid out: ${path} is of another point, radius or directions (choose another folder)`,
    );
  }
  const known = new Map<string, Place>();
  rest.forEach((line, i) => {
    const body = withoutCheck(line);
    const parsed = body === undefined ? undefined : placeSchema.safeParse(fromJson(body));
    if (parsed?.success) {
      const place = Object.fromEntries(
        Object.entries(parsed.data).map(([name, value]) => [name, value ?? Number.NaN]),
      ) as unknown as Place;
      known.set(keyOf(place.place), place);
    } else if (i < rest.length - 1 && rest[i + 1] !== "") throw damaged(i + 2);
  });
  return known;
}
