/** JSON files with a checksum, read. */
import { InputError } from "../engine/errors.ts";
import { readFrom, type Folder } from "../platform/files.ts";
import { fromJson, withoutCheck } from "../run/checked.ts";

/**
 * What a JSON file with a checksum, or one of an older version without, says.
 *
 * @throws {InputError} when it is not JSON, or not what was written.
 */
export async function readChecked(folder: Folder, path: string): Promise<unknown> {
  const text = withoutCheck(new TextDecoder().decode(await readFrom(folder, path)));
  if (text === undefined) {
    throw new InputError(
      `invalid file ${folder.nameOf(path)}: its content does not have its checksum (it was damaged or changed)`,
    );
  }
  const found = fromJson(text);
  if (found === undefined) throw new InputError(`invalid file ${folder.nameOf(path)}: not JSON`);
  return found;
}
