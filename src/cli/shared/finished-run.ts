/** Runs that are finished: what only their folders can be asked. */
import { InputError } from "../../engine/errors.ts";
import { readRunFolder } from "../../store/run-folder.ts";
import { commandLine } from "./command-line.ts";

/**
 * Read the folder of a run that has its result.
 *
 * @throws {InputError} when it holds no run, or one that is not finished.
 */
export async function readFinishedRun(folder: string) {
  const { result, ...run } = await readRunFolder(folder);
  if (result === undefined) {
    throw new InputError(
      `invalid run ${folder}: it is not finished (${commandLine("train", "--resume", folder)} finishes it)`,
    );
  }
  return { ...run, result };
}
