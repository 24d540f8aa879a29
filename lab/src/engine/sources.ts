/** Sources of runs in a browser: data sets that are drawn. No file, no network. */
import { InputError } from "lucid-sam/engine";
import { datasets, findDataset, type Sources } from "lucid-sam/problems";

const isDrawn = ({ files }: (typeof datasets)[number]) => Object.keys(files).length === 0;

export const browserSources: Sources = {
  dataset: async (name, { options, ...request }) => {
    const entry = findDataset(name);
    if (!isDrawn(entry)) {
      const drawn = datasets.filter((other) => other.kind === entry.kind && isDrawn(other));
      throw new InputError(
        `invalid data: ${name} has files, which are not here (choose ${drawn.map((other) => other.name).join(", ")}, or use the command line)`,
      );
    }
    // A name stands for data of one kind.
    return entry.read({}, { ...request, options: entry.options.parse(options ?? {}) }) as never;
  },
  problem: (file) =>
    Promise.reject(
      new InputError(`invalid problem: ${file} is a file of one's own (use the command line)`),
    ),
};
