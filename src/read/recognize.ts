/** What files are, and how each is read: those dropped on a page as those of a folder of a server. */
import type { Certificate } from "../diagnostics/certificate/certificate.ts";
import { reasonOf } from "../engine/errors.ts";
import type { Tensor } from "../engine/tensor.ts";
import { folderOf, type Files } from "../platform/files.ts";
import type { FloatType, Problem } from "../problems/problem.ts";
import { readExportedProblem } from "../run/exported-problem.ts";
import { parseLog } from "../run/logs/log-format.ts";
import type { LogEntry } from "../run/logs/rows.ts";
import { parseCertificate } from "./certificate.ts";
import { parseLandscape, type StoredLandscape } from "./landscape.ts";
import { isPack, readPack } from "./pack.ts";
import { readRun, type StoredRun } from "./run.ts";
import { sortOut } from "./sort-out.ts";
import { readStudy, type StoredStudy } from "./study.ts";
import { readTensors } from "./tensors.ts";

/**
 * Something that was found among files: a run, a study, the log of any training, a point, an exported
 * problem, a certificate, a landscape; or a file that is none, and why. `path` is the file or folder,
 * `files` are all that belong to it; `read` refuses what is damaged as the command line does.
 */
export type Found = { readonly path: string; readonly files: readonly string[] } & (
  | { readonly kind: "run"; read(): Promise<StoredRun> }
  | { readonly kind: "study"; read(): Promise<StoredStudy> }
  | { readonly kind: "log"; read(): Promise<LogEntry[]> }
  | { readonly kind: "point"; read(): Promise<Readonly<Record<string, Tensor>>> }
  | { readonly kind: "problem"; read(dtype: FloatType): Promise<Problem> }
  | { readonly kind: "certificate"; read(): Promise<Certificate> }
  | { readonly kind: "landscape"; read(): Promise<StoredLandscape> }
  | { readonly kind: "unknown"; readonly reason: string }
);

/**
 * Say what files are. Names decide; only files that might be certificates are read for it.
 *
 * @returns all that was found, by path; every file of nothing known with the reason in one line.
 */
export async function recognize(files: Files): Promise<Found[]> {
  const { things, others } = sortOut(files.paths);
  const found: Found[] = [];
  for (const { kind, ...thing } of things) {
    const { path } = thing;
    const folder = folderOf({ paths: thing.files, read: (file) => files.read(file) }, path);
    const bytes = () => files.read(path);
    const text = async () => new TextDecoder().decode(await bytes());
    switch (kind) {
      case "run":
        found.push({ ...thing, kind, read: () => readRun(folder) });
        break;
      case "study":
        found.push({
          ...thing,
          kind,
          read: async () => (isPack(path) ? readPack(await bytes(), path) : readStudy(folder)),
        });
        break;
      case "problem":
        found.push({ ...thing, kind, read: (dtype) => readExportedProblem(folder, dtype) });
        break;
      case "landscape":
        found.push({ ...thing, kind, read: async () => parseLandscape(await text(), path) });
        break;
      case "log":
        found.push({ ...thing, kind, read: async () => parseLog(await bytes(), path) });
        break;
      case "point":
        found.push({ ...thing, kind, read: async () => readTensors(await bytes(), path) });
        break;
      case "certificate":
        // Any JSON is called so.
        try {
          const certificate = parseCertificate(await text(), path);
          found.push({ ...thing, kind, read: async () => certificate });
        } catch (error) {
          found.push({ ...thing, kind: "unknown", reason: reasonOf(error) });
        }
    }
  }
  for (const path of others) {
    found.push({
      kind: "unknown",
      path,
      files: [path],
      reason: `unknown file ${path} (give the folder of a run, a study or an exported problem, *.jsonl.gz, *.jsonl, *.csv, *.safetensors, *.npz, or what lucid certify --json printed)`,
    });
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}
