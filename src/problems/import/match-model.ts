/** Models from elsewhere: tensors by name, matched to a problem's parameters and statistics. */
import { InputError } from "../../engine/errors.ts";
import {
  castFloat,
  leavesWithPaths,
  unflattenLike,
  type Tensor,
  type TensorType,
  type Tree,
} from "../../engine/tensor.ts";
import type { Model, Problem } from "../problem.ts";

/** What the names of running statistics begin with in files of models. */
export const statisticsPrefix = "statistics";

/**
 * The model of a problem from tensors by name: our own names (`layers/0/weight`,
 * `statistics/norm/mean`, with `/` or `.`), or those of a PyTorch `state_dict`. The numbered modules
 * of an `nn.Sequential` (`0.weight`, `0.bias`, `2.weight`, …) are taken as layers in ascending
 * order. Running statistics are also found without `statistics`, and as PyTorch's `running_mean`
 * and `running_var` where the problem has `mean` and `variance` (or `var`) at the same place;
 * PyTorch's `num_batches_tracked` is left aside. Names in a folder that `lucid_sam.export` wrote begin
 * with `param.` or `buffer.`.
 *
 * @param name what messages call the tensors.
 * @returns Everything in float64.
 * @throws {InputError} when a tensor is missing, left over, of another shape, or not finite.
 */
export function matchModel(
  problem: Problem,
  tensors: Readonly<Record<string, Tensor>>,
  name = "point",
): Model {
  const given = new Map(
    Object.entries(tensors)
      .filter(([key, { dtype }]) => !(key.startsWith("buffer.") && !dtype.startsWith("float")))
      .map(([key, leaf]) => [key.replace(/^(param|buffer)\./, "").replaceAll(".", "/"), leaf]),
  );
  const initial = problem.init(0);
  const own = new Set(leavesWithPaths(initial).map(([path]) => path));
  const left = new Map(
    [...given]
      .filter(([key]) => !/(^|\/)num_batches_tracked$/.test(key))
      // An imported network may have numbered modules itself.
      .map(([key, leaf]) => [own.has(key) ? key : layerName(key, [...given.keys()]), leaf]),
  );
  /** A tree like `expected` of tensors taken from `left` by the first of their names. */
  const take = (expected: Tree<TensorType>, namesOf: (path: string) => readonly string[]) => {
    const leaves = leavesWithPaths(expected).map(([path, type]) => {
      const names = namesOf(path);
      const [called = path] = names;
      const found = names.find((candidate) => left.has(candidate));
      const leaf = found === undefined ? undefined : left.get(found);
      if (found === undefined || leaf === undefined) {
        const others = [...given.keys()].slice(0, 6).join(", ") || "nothing";
        throw new InputError(`missing ${called} in ${name}: it has ${others}`);
      }
      left.delete(found);
      return checked(leaf, type, `${found} in ${name}`);
    });
    return unflattenLike(expected, leaves);
  };
  // Parameters first: what bears the name of one is no statistic.
  const params = take(initial, (path) => [path]);
  const statistics = take(problem.initStatistics?.() ?? {}, statisticNames);
  const [extra] = left.keys();
  if (extra !== undefined) {
    throw new InputError(
      `unknown ${extra} in ${name}: problem ${problem.name} has no such parameter`,
    );
  }
  return { params, statistics };
}

/** The tensor in float64, if it fits. */
function checked(leaf: Tensor, { shape }: TensorType, called: string): Tensor {
  if (!leaf.dtype.startsWith("float")) {
    throw new InputError(`invalid ${called}: dtype ${leaf.dtype} (give float32 or float64)`);
  }
  if (String(leaf.shape) !== String(shape)) {
    throw new InputError(
      `invalid ${called}: shape [${leaf.shape.join(", ")}] (give [${shape.join(", ")}])`,
    );
  }
  const wrong = leaf.data.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) {
    throw new InputError(
      `invalid ${called}: element ${wrong} is ${leaf.data[wrong]} (give finite numbers)`,
    );
  }
  return castFloat(leaf, "float64");
}

/** PyTorch's names of the statistics that its normalization layers keep. */
const torchNames: Readonly<Record<string, string>> = {
  mean: "running_mean",
  variance: "running_var",
  var: "running_var",
};

/** What a statistic may be called in a file, best name first. */
function statisticNames(path: string): string[] {
  const [, module = "", last = ""] = /^(.*\/)?([^/]*)$/.exec(path) ?? [];
  const torch = Object.hasOwn(torchNames, last) ? torchNames[last] : undefined;
  return [
    path === "" ? statisticsPrefix : `${statisticsPrefix}/${path}`,
    path,
    ...(torch === undefined ? [] : [`${module}${torch}`]),
  ];
}

/** `2/weight` among `0/…`, `2/…` is `layers/1/weight`. Other names stay. */
function layerName(key: string, keys: readonly string[]): string {
  const numbered = /^(\d+)\/(.+)$/;
  const [, index, rest] = numbered.exec(key) ?? [];
  if (index === undefined) return key;
  const indices = new Set(keys.flatMap((other) => numbered.exec(other)?.[1] ?? []));
  const order = [...indices].toSorted((a, b) => Number(a) - Number(b));
  return `layers/${order.indexOf(index)}/${rest}`;
}
