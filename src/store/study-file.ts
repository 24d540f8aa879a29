/** Study files: JSON, or a TypeScript or JavaScript module whose default export is the study. */
import { access } from "node:fs/promises";
import { extname } from "node:path";
import { InputError } from "../engine/errors.ts";
import { fileError, readJson } from "../platform/node/files.ts";
import { loadModule } from "../platform/node/modules.ts";
import { parseStudy, type Study } from "../study/study.ts";

/**
 * Read a study file.
 *
 * @param preset version of the study; required where the file has several.
 * @throws {InputError} in one line, when it is not a study.
 */
export async function readStudyFile(path: string, preset?: string): Promise<Study> {
  if (extname(path) === ".json") return parseStudy(await readJson(path), preset);
  if (!/^\.[cm]?[jt]s$/.test(extname(path))) {
    throw new InputError(`invalid file ${path}: not a study (give a .json or .ts file)`);
  }
  await access(path).catch((error: unknown) => {
    throw fileError(error, "read", path);
  });
  const module = await load(path);
  if (!("default" in module)) {
    throw new InputError(
      `invalid file ${path}: no default export (export default defineStudy({ … }))`,
    );
  }
  return parseStudy(module.default, preset);
}

async function load(path: string): Promise<object> {
  try {
    return await loadModule(path);
  } catch (error) {
    const [line] = String(error instanceof Error ? error.message : error).split("\n", 1);
    throw new InputError(`invalid file ${path}: cannot load it, ${line}`, { cause: error });
  }
}
