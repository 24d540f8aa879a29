/** Landscape files, written: a killed command goes on where it was. */
import { dirname } from "node:path";
import { InputError } from "../engine/errors.ts";
import type { AxisInfo } from "../diagnostics/landscape/axis.ts";
import { keyOf, type Place } from "../diagnostics/landscape/grid.ts";
import { openAppend } from "../platform/node/append.ts";
import { readText } from "../platform/node/files.ts";
import { completeLength } from "../platform/node/lines.ts";
import { takeLock } from "../platform/node/lock.ts";
import { landscapeFormat, parseLandscape, type LandscapeIdentity } from "../read/landscape.ts";
import { formatChecked } from "../run/checked.ts";

/** A landscape file that is being written to. */
export interface LandscapeFile {
  readonly known: Map<string, Place>;
  append(places: readonly Place[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * Open a landscape file, making it where there is none. A line that a crash has torn is cut off.
 * Until it is closed its folder is locked: of two commands, one would cut off what the other is
 * writing.
 *
 * @param directions what each axis is, for a new file: whoever reads it alone can name them.
 * @throws {InputError} when it is not one, is damaged, is of another landscape, or another process
 *   writes to its folder.
 */
export async function openLandscape(
  path: string,
  identity: LandscapeIdentity,
  directions: readonly AxisInfo[],
): Promise<LandscapeFile> {
  const lock = await takeLock(dirname(path));
  try {
    const file = await openLocked(path, identity, directions);
    return {
      ...file,
      async close() {
        await file.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openLocked(
  path: string,
  identity: LandscapeIdentity,
  directions: readonly AxisInfo[],
): Promise<LandscapeFile> {
  const length = await completeLength(path);
  const known = length === 0 ? new Map<string, Place>() : await read(path, identity);
  const file = await openAppend(path, length);
  try {
    if (length === 0) {
      await file.append(`${formatChecked({ format: landscapeFormat, ...identity, directions })}\n`);
    }
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

async function read(path: string, identity: LandscapeIdentity): Promise<Map<string, Place>> {
  const { identity: found, places } = parseLandscape(await readText(path), path);
  const { point, axes, rho, dtype, problem } = identity;
  if (JSON.stringify(found) !== JSON.stringify({ point, axes, rho, dtype, problem })) {
    throw new InputError(
      `invalid out: ${path} is of another point, radius or directions (choose another folder)`,
    );
  }
  return new Map(places.map((place) => [keyOf(place.place), place]));
}
