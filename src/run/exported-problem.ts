/** Exported problems: networks that `lucid_sam.export` wrote, read from their folders. */
import { InputError } from "../engine/errors.ts";
import { readFrom, type Folder } from "../platform/files.ts";
import { importFiles } from "../problems/import/onnx/files.ts";
import type { FloatType, Problem } from "../problems/problem.ts";

/** Loaded where there is something to read: it brings jax-js. */
const loadReader = () => import("../problems/import/onnx/problem.ts");

/**
 * Read an exported problem: graphs in ONNX, parameters and samples in safetensors.
 *
 * @throws {InputError} in one line, when a file is missing or damaged, or they do not fit each other.
 */
export async function readExportedProblem(folder: Folder, dtype: FloatType): Promise<Problem> {
  const { importedProblem } = await loadReader();
  const content = await folder.list();
  const { loss, train, point, batch } = importFiles;
  const missing = [loss, point, batch].find((file) => !content.includes(file));
  if (missing !== undefined) {
    throw new InputError(
      `missing ${missing} in ${folder.name}: not a folder that lucid_sam.export wrote (in Python: from lucid_sam.export import export)`,
    );
  }
  return importedProblem(
    {
      loss: await readFrom(folder, loss),
      train: await folder.read(train),
      point: await readFrom(folder, point),
      batch: await readFrom(folder, batch),
    },
    folder.name,
    dtype,
  );
}

/**
 * Say why a graph alone is no problem.
 *
 * @param path what messages call it.
 * @throws {InputError} always.
 */
export async function refuseLoneGraph(bytes: Uint8Array, path: string): Promise<never> {
  const { readTrainingGraph } = await loadReader();
  readTrainingGraph(bytes, path);
  throw new InputError(`invalid problem: ${path} (give the folder that it lies in)`);
}
