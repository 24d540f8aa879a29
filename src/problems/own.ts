/**
 * Problem files: problems of one's own by path, `--problem ./mine.ts --data ./mine.csv`, and folders
 * that `lucid_sam.export` wrote, `--problem ./folder`.
 */
import { z } from "zod";
import { problemEntry, type ProblemEntry } from "./entry.ts";

/** Whether the name of a problem is the path of a file or a folder. */
export const isProblemFile = (name: string): boolean => /[/\\]|\.([cm]?[jt]s|onnx)$/.test(name);

/** A problem file as it is listed: what it defines is known once it is loaded. */
export const problemFileEntry = (file: string): ProblemEntry =>
  problemEntry({
    name: file,
    kind: "network",
    title: "A problem of one's own.",
    options: z.object({}),
    data: "file",
    describe: (_, data) => (data === undefined ? file : `${file}, ${data}`),
    create: (_, problem) => problem,
  });
