/** Study files: JSON, or a TypeScript or JavaScript module whose default export is the study. */
import { extname } from "node:path";
import { readJson } from "../platform/node/files.ts";
import { loadDefault } from "../platform/node/modules.ts";
import { parseStudy, type Study } from "../study/study.ts";

/**
 * Read a study file.
 *
 * @param preset version of the study; required where the file has several.
 * @throws {InputError} in one line, when it is not a study.
 */
export async function readStudyFile(path: string, preset?: string): Promise<Study> {
  if (extname(path) === ".json") return parseStudy(await readJson(path), preset);
  return parseStudy(
    await loadDefault(path, "study", "defineStudy({ … })", ".json, .ts or .js file"),
    preset,
  );
}
