/** Data sets for runs in Node. */
import { loadDataset, type LoadOptions } from "../platform/node/data.ts";
import { isDrawn, type DatasetLoader } from "../problems/datasets/entry.ts";
import type { ImageDataset } from "../problems/datasets/images.ts";
import { findDataset } from "../problems/datasets/registry.ts";

/** A loader that draws, reads or downloads each data set once and keeps the last. */
export function nodeDatasets(options: Pick<LoadOptions, "onProgress"> = {}): DatasetLoader {
  let key: string | undefined;
  let last: Promise<ImageDataset> | undefined;
  return (name, { signal, ...request }) => {
    const entry = findDataset(name);
    // Files hold what they hold, however much of it is used; what is drawn depends on how much.
    const wanted = JSON.stringify([name, isDrawn(entry) ? request : request.options]);
    if (last === undefined || wanted !== key) {
      key = wanted;
      last = loadDataset(entry, request, { ...options, signal });
      last.catch(() => (key = undefined));
    }
    return last;
  };
}
