/** Data sets for runs in Node. */
import { loadMnist, type LoadOptions } from "../platform/node/data.ts";
import { digits } from "../problems/datasets/digits.ts";
import type { ImageDataset } from "../problems/datasets/images.ts";
import type { DatasetLoader } from "./build.ts";

/** A loader that draws, reads or downloads each data set once and keeps the last. */
export function nodeDatasets(options: Pick<LoadOptions, "onProgress"> = {}): DatasetLoader {
  let key: string | undefined;
  let last: Promise<ImageDataset> | undefined;
  return (name, { n, signal }) => {
    const wanted = name === "digits" ? `digits ${n}` : name;
    if (last === undefined || wanted !== key) {
      key = wanted;
      last =
        name === "digits"
          ? Promise.resolve(digits({ train: n }))
          : loadMnist({ ...options, ...(signal && { signal }) });
      last.catch(() => (key = undefined));
    }
    return last;
  };
}
