/** Sources of runs in Node: data sets from files and the network, problems from modules. */
import { stat } from "node:fs/promises";
import { InputError, reasonOf } from "../engine/errors.ts";
import { loadDataset, type LoadOptions } from "../platform/node/data.ts";
import { readBytes, readText } from "../platform/node/files.ts";
import { nodeFolder } from "../platform/node/folder.ts";
import { loadDefault } from "../platform/node/modules.ts";
import { isDrawn, type DatasetLoader, type DatasetsOf } from "../problems/datasets/entry.ts";
import { findDataset } from "../problems/datasets/registry.ts";
import { checkProblem } from "../problems/check.ts";
import { inFloat64 } from "../problems/float64.ts";
import type { FloatType, Problem } from "../problems/problem.ts";
import type { ProblemFile, ProblemFileContext, Sources } from "../problems/sources.ts";
import { parseCsv } from "../problems/table.ts";
import { readExportedProblem, refuseLoneGraph } from "./exported-problem.ts";

/** Sources that read files relative to the current folder. */
export function nodeSources(options: Pick<LoadOptions, "onProgress" | "onDrawn"> = {}): Sources {
  return { dataset: datasetLoader(options), problem: problemFromFile };
}

/** A loader that draws, reads or downloads each data set once and keeps the last. */
function datasetLoader(options: Pick<LoadOptions, "onProgress" | "onDrawn">): DatasetLoader {
  let key: string | undefined;
  let last: Promise<DatasetsOf[keyof DatasetsOf]> | undefined;
  return <Kind extends keyof DatasetsOf = "images">(
    name: string,
    { signal, ...request }: Parameters<DatasetLoader>[1] & { readonly kind?: Kind | undefined },
  ) => {
    const entry = findDataset(name);
    // Files hold what they hold, however much of it is used; what is drawn depends on how much.
    const wanted = JSON.stringify([name, isDrawn(entry) ? request : request.options]);
    if (last === undefined || wanted !== key) {
      key = wanted;
      last = loadDataset(entry, request, { ...options, signal });
      last.catch(() => (key = undefined));
    }
    // A name stands for data of one kind.
    return last as Promise<DatasetsOf[Kind]>;
  };
}

const problemFromFile: Sources["problem"] = async (file, data, dtype) => {
  const isFolder = await stat(file).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  if (isFolder || file.endsWith(".onnx")) return problemFromExport(file, isFolder, data, dtype);
  const remedy = "({ table, dtype }) => defineProblem({ … })";
  const kinds = ".ts or .js file, or the folder that lucid_sam.export wrote";
  const made = (await loadDefault(file, "problem", remedy, kinds)) as ProblemFile | undefined;
  const table = data === undefined ? undefined : parseCsv(await readText(data), data);
  const problem = typeof made === "function" ? await make(file, made, { table, dtype }) : made;
  if (typeof problem !== "object" || problem === null || !("forward" in problem)) {
    throw new InputError(`invalid file ${file}: not a problem (export default ${remedy})`);
  }
  checkProblem(problem);
  if (problem.dtype === dtype) return problem;
  if (dtype === "float64") return inFloat64(problem);
  throw new InputError(
    `invalid dtype: ${dtype}, but ${file} computes in ${problem.dtype} (give --dtype ${problem.dtype}, or hand dtype on to defineProblem)`,
  );
};

/** A network that `lucid_sam.export` wrote. */
async function problemFromExport(
  path: string,
  isFolder: boolean,
  data: string | undefined,
  dtype: FloatType,
): Promise<Problem> {
  if (!isFolder) return refuseLoneGraph(await readBytes(path), path);
  if (data !== undefined) {
    throw new InputError(`invalid data: ${data} (${path} has samples of its own: leave it out)`);
  }
  return readExportedProblem(nodeFolder(path.replace(/(?<=.)[/\\]+$/, "")), dtype);
}

/** What the file's function makes; its errors are about what it was given. */
async function make(
  file: string,
  makeProblem: Exclude<ProblemFile, Problem>,
  context: ProblemFileContext,
): Promise<Problem> {
  try {
    return await makeProblem(context);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`invalid problem ${file}: ${reasonOf(error)}`, { cause: error });
  }
}
