/** Landscape files, read: places and what is known of them, a line each. */
import { z } from "zod";
import type { AxisInfo } from "../diagnostics/landscape/axis.ts";
import type { Place } from "../diagnostics/landscape/grid.ts";
import { layers } from "../diagnostics/landscape/layers.ts";
import { InputError } from "../engine/errors.ts";
import { fromJson, withoutCheck } from "../run/checked.ts";

/** Version of the layout of landscape files. */
export const landscapeFormat = 1;

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

/** A landscape as far as it is known. */
export interface StoredLandscape {
  readonly identity: LandscapeIdentity;
  /** What each axis is; absent from files of earlier versions. */
  readonly directions?: readonly AxisInfo[] | undefined;
  /** In the order in which they were computed; of two at one place the later one counts. */
  readonly places: readonly Place[];
}

const headSchema = z.object({
  format: z.int(),
  point: z.string(),
  axes: z.array(z.string()),
  rho: z.number(),
  dtype: z.string(),
  problem: z.unknown(),
  directions: z
    .array(z.object({ name: z.string(), unit: z.string(), share: z.number().optional() }))
    .optional(),
});

const placeSchema = z.object({
  place: z.array(z.number()),
  ...Object.fromEntries(layers.map((layer) => [layer, z.number().nullable().optional()])),
});

/**
 * Read a landscape file. Numbers that are not finite were stored as `null` and are NaN. A last line
 * without its end is left aside: a crash cut it, or it is being written.
 *
 * @param path what messages call the file.
 * @throws {InputError} when it is none, or a line is not what was written.
 */
export function parseLandscape(text: string, path: string): StoredLandscape {
  const [head = "", ...lines] = text.split("\n").slice(0, -1);
  const parsed = headSchema.safeParse(fromJson(withoutCheck(head) ?? ""));
  if (!parsed.success) throw damaged(path, 1);
  const { format, directions, ...identity } = parsed.data;
  if (format > landscapeFormat) {
    throw new InputError(`invalid file ${path}: of a newer version (update lucid-sam)`);
  }
  const places = lines.map((line, i) => {
    const found = placeSchema.safeParse(fromJson(withoutCheck(line) ?? ""));
    if (!found.success) throw damaged(path, i + 2);
    return Object.fromEntries(
      Object.entries(found.data).map(([name, value]) => [name, value ?? Number.NaN]),
    ) as unknown as Place;
  });
  return { identity, ...(directions && { directions }), places };
}

const damaged = (path: string, line: number) =>
  new InputError(`invalid file ${path}: line ${line} is damaged (delete the file and start anew)`);
