/** JSON files with a checksum. */
import { InputError } from "../engine/errors.ts";
import { readText, writeText } from "../platform/node/files.ts";
import { formatChecked, fromJson, withoutCheck } from "../run/checked.ts";

/** Write an object as indented JSON that ends with its checksum. */
export const writeChecked = (path: string, value: object): Promise<void> =>
  writeText(path, `${formatChecked(value, 2)}\n`);

/**
 * What a JSON file with a checksum, or one of an older version without, says.
 *
 * @throws {InputError} when it is not JSON, or not what was written.
 */
export async function readChecked(path: string): Promise<unknown> {
  const text = withoutCheck(await readText(path));
  if (text === undefined) {
    throw new InputError(
      `invalid file ${path}: its content does not have its checksum (it was damaged or changed)`,
    );
  }
  const found = fromJson(text);
  if (found === undefined) throw new InputError(`invalid file ${path}: not JSON`);
  return found;
}
