/** What files are by their names: runs, studies, exported problems, landscapes, and files that stand alone. */
import { importFiles } from "../problems/import/onnx/files.ts";
import { isPack } from "./pack.ts";
import { runFiles } from "./run.ts";
import { studyFiles } from "./study.ts";

/** What a thing may be by its names. */
export type Kind = "run" | "study" | "problem" | "landscape" | "log" | "point" | "certificate";

/** A run, a study, or something else that one or several files make. */
export interface Thing {
  readonly kind: Kind;
  /** Its folder, or its file where it has but one. */
  readonly path: string;
  /** Paths of all its files that somebody may want to read. */
  readonly files: readonly string[];
}

/** Files, sorted. */
export interface SortedFiles {
  readonly things: readonly Thing[];
  /** Files that are nothing known, or parts of something whose other parts are not there. */
  readonly others: readonly string[];
}

/** Things that are folders: the files that make one, in the order in which folders are tried. */
const folders: readonly {
  readonly kind: Kind;
  readonly needed: readonly string[];
  readonly further: readonly string[];
  /** Folders in it, with how names of files there end. */
  readonly below?: { readonly [folder: string]: string };
}[] = [
  {
    kind: "run",
    needed: [runFiles.config, runFiles.metrics],
    further: [runFiles.result, runFiles.final, runFiles.best],
  },
  {
    kind: "study",
    needed: [studyFiles.study, studyFiles.cells],
    further: [studyFiles.rows, studyFiles.replaced],
    below: { [studyFiles.metrics]: ".jsonl", [studyFiles.points]: ".safetensors" },
  },
  {
    kind: "problem",
    needed: [importFiles.loss, importFiles.point, importFiles.batch],
    further: [importFiles.train],
  },
];

/** Files that say nothing without the rest of their folder. */
const parts: readonly string[] = [
  runFiles.config,
  runFiles.result,
  studyFiles.study,
  studyFiles.cells,
  studyFiles.rows,
  studyFiles.replaced,
];

/** The landscape of `lucid landscape`, and the files that say the same in other forms. */
const landscape = "landscape.jsonl";
const landscapeCopies = ["landscape.csv", "landscape.json"];

/** Kinds of files that stand alone, by how their names end. */
const alone: readonly (readonly [ending: string, kind: Kind])[] = [
  [".jsonl", "log"],
  [".csv", "log"],
  [".safetensors", "point"],
  [".npz", "point"],
  [".json", "certificate"],
];

/** Sort files by their names alone. Paths have `/` between names. */
export function sortOut(paths: Iterable<string>): SortedFiles {
  const contents = new Map<string, string[]>();
  for (const path of paths) {
    const folder = folderName(path);
    const content = contents.get(folder);
    if (content) content.push(path);
    else contents.set(folder, [path]);
  }
  const things: Thing[] = [];
  const others: string[] = [];
  /** Folders of studies: all that lies below belongs to them. */
  const taken = new Set<string>();
  const inStudy = (folder: string): boolean =>
    taken.has(folder) || (folder !== "" && inStudy(folderName(folder)));
  for (const folder of [...contents.keys()].sort()) {
    if (inStudy(folder)) continue;
    const start = folder === "" ? "" : `${folder}/`;
    const content = contents.get(folder) ?? [];
    const names = new Set(content.map((path) => path.slice(start.length)));
    const claimed = new Set<string>();
    for (const { kind, needed, further, below = {} } of folders) {
      if (!needed.every((name) => names.has(name))) continue;
      const own = [...needed, ...further.filter((name) => names.has(name))];
      for (const name of own) claimed.add(name);
      const inside = Object.entries(below).flatMap(([name, ending]) =>
        (contents.get(start + name) ?? []).filter((path) => path.endsWith(ending)),
      );
      things.push({ kind, path: folder, files: [...own.map((name) => start + name), ...inside] });
      if (kind === "study") taken.add(folder);
    }
    if (taken.has(folder)) continue;
    if (claimed.has(runFiles.config)) claimed.add(runFiles.checkpoint);
    if (names.has(landscape)) for (const name of landscapeCopies) claimed.add(name);
    for (const path of content) {
      const name = path.slice(start.length);
      if (claimed.has(name) || /^\.|^lock-.*\.json$/.test(name)) continue;
      const kind = parts.includes(name) ? undefined : kindOf(name);
      if (kind === undefined) others.push(path);
      else things.push({ kind, path, files: [path] });
    }
  }
  return { things, others };
}

/** What a file that stands alone is by its name. */
function kindOf(name: string): Kind | undefined {
  if (isPack(name)) return "study";
  if (name === landscape) return "landscape";
  if (name.includes("tfevents")) return "log";
  return alone.find(([ending]) => name.endsWith(ending))?.[1];
}

/** The folder of a path; `""` at the top. */
export const folderName = (path: string): string =>
  path.slice(0, Math.max(0, path.lastIndexOf("/")));
