/** JSON files with a checksum, written. */
import { writeText } from "../platform/node/files.ts";
import { formatChecked } from "../run/checked.ts";

/** Write an object as indented JSON that ends with its checksum. */
export const writeChecked = (path: string, value: object): Promise<void> =>
  writeText(path, `${formatChecked(value, 2)}\n`);
