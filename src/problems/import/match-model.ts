/** Models from elsewhere: tensors by name, matched to a problem's parameters and statistics. */
import { InputError } from "../../engine/errors.ts";
import {
  castFloat,
  leavesWithPaths,
  mapTree,
  sizeOf,
  tensor,
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
 * PyTorch's `num_batches_tracked` is left aside, and so are the prefixes `module.` and `_orig_mod.`
 * of wrapped and compiled models. Names in a folder that `lucid_sam.export` wrote begin with `param.`
 * or `buffer.`. Tensors of other names (`fc1.weight`) are matched by kind and shape, and those of one
 * kind and shape by the numbers in their names, where that leaves no choice. What `toTorch` of the problem
 * gives is read back, in PyTorch's layouts.
 *
 * @param name what messages call the tensors.
 * @param onMatched told which name was taken for which, where names were not known.
 * @returns Everything in float64.
 * @throws {InputError} when a tensor is missing, left over, of another shape, or not finite.
 */
export function matchModel(
  problem: Problem,
  tensors: Readonly<Record<string, Tensor>>,
  name = "point",
  onMatched?: (pairs: readonly MatchedName[]) => void,
): Model {
  const initial = problem.init(0);
  const own = new Set(leavesWithPaths(initial).map(([path]) => path));
  const given = new Map(
    Object.entries(tensors)
      .filter(([key, { dtype }]) => !(key.startsWith("buffer.") && !dtype.startsWith("float")))
      .map(([key, leaf]) => {
        const path = key.replace(/^(param|buffer)\./, "").replaceAll(".", "/");
        return [own.has(path) ? path : bareName(path), leaf];
      }),
  );
  const named = new Map(
    [...given]
      .filter(([key]) => !isCount(key))
      // An imported network may have numbered modules itself.
      .map(([key, leaf]) => [own.has(key) ? key : layerName(key, [...given.keys()]), leaf]),
  );
  const wanted: Wanted[] = [
    ...leavesWithPaths(initial).map(([path, { shape }]) => ({ names: [path], shape })),
    ...leavesWithPaths(problem.initStatistics?.() ?? {}).map(([path, { shape }]) => ({
      names: statisticNames(path),
      shape,
    })),
  ];
  const isNamed = wanted.every(({ names }) => names.some((candidate) => named.has(candidate)));
  const same = isNamed ? undefined : fromTorch(problem, initial, given, name);
  if (same !== undefined) return same;
  const pairs = isNamed ? undefined : matchByShape(wanted, named);
  const left =
    pairs === undefined
      ? named
      : new Map(pairs.map(({ ours, theirs }) => [ours, named.get(theirs) as Tensor]));
  if (pairs !== undefined) onMatched?.(pairs);
  /** A tree like `expected` of tensors taken from `left` by the first of their names. */
  const take = (expected: Tree<TensorType>, namesOf: (path: string) => readonly string[]) => {
    const leaves = leavesWithPaths(expected).map(([path, type]) => {
      const names = namesOf(path);
      const [called = path] = names;
      const found = names.find((candidate) => left.has(candidate));
      const leaf = found === undefined ? undefined : left.get(found);
      if (found === undefined || leaf === undefined) {
        const others = [...given.keys()].slice(0, 6).join(", ") || "nothing";
        const accepted = wanted.slice(0, 6).map(({ names }) => names[0]);
        throw new InputError(
          `missing ${called} in ${name}: it has ${others} (accepted are ${accepted.join(", ")}, also with dots, the names of an nn.Sequential, and any others whose shapes leave no choice)`,
        );
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

/** A tensor of a file, and the parameter or statistic that it was taken for. */
export interface MatchedName {
  readonly ours: string;
  readonly theirs: string;
}

/** A parameter or statistic, with what it may be called. */
interface Wanted {
  readonly names: readonly string[];
  readonly shape: readonly number[];
}

/** A name without what wrappers add to it. */
const bareName = (key: string): string =>
  key.replaceAll("_orig_mod/", "").replace(/^(module\/)+/, "");

/** Names in the order of the numbers in them: `fc2` comes before `fc10`. */
const byNumbers = new Intl.Collator("en", { numeric: true });

/**
 * Which tensor is which by kind (`weight`, `bias`, `running_mean`) and shape; undefined where tensors
 * are missing or left over, or more than their numbers tells those of one kind and shape apart.
 */
function matchByShape(
  wanted: readonly Wanted[],
  given: ReadonlyMap<string, Tensor>,
): MatchedName[] | undefined {
  if (given.size !== wanted.length) return undefined;
  const last = (path: string) => path.slice(path.lastIndexOf("/") + 1);
  const key = (kind: string, shape: readonly number[]) => `${kind} ${shape.join(" ")}`;
  const theirs = Map.groupBy(given, ([name, { shape }]) => key(last(name), shape));
  const ours = Map.groupBy(wanted, ({ names, shape }) => key(last(names.at(-1) ?? ""), shape));
  const pattern = (name: string) => name.replace(/\d+/g, "#");
  const pairs: MatchedName[] = [];
  for (const [kind, group] of ours) {
    const names = (theirs.get(kind) ?? []).map(([name]) => name).toSorted(byNumbers.compare);
    const paths = group.map(({ names: [path = ""] }) => path).toSorted(byNumbers.compare);
    const isOne = (some: readonly string[]) => new Set(some.map(pattern)).size === 1;
    if (names.length !== paths.length || !isOne(names) || !isOne(paths)) return undefined;
    paths.forEach((path, i) => pairs.push({ ours: path, theirs: names[i] ?? "" }));
  }
  return pairs.toSorted((a, b) => byNumbers.compare(a.ours, b.ours));
}

/** The model whose state_dict this is, where the problem says what that has: the inverse of `toTorch`. */
function fromTorch(
  problem: Problem,
  params: Tree<TensorType>,
  given: ReadonlyMap<string, Tensor>,
  file: string,
): Model | undefined {
  // A model whose numbers are their own places shows where each one goes.
  let count = 0;
  const numbered = (types: Tree<TensorType>): Tree<Tensor> =>
    mapTree(types, ({ shape }) =>
      tensor(
        Float64Array.from({ length: sizeOf(shape) }, () => count++),
        shape,
        "float64",
      ),
    );
  const places = {
    params: numbered(params),
    statistics: numbered(problem.initStatistics?.() ?? {}),
  };
  const state = Object.entries(problem.toTorch?.(places) ?? {});
  const sizes = state.map(([, { data }]) => data.length);
  const names = new Set([...given.keys()].filter((name) => !isCount(name)));
  const isSame =
    state.every(([name]) => names.delete(name.replaceAll(".", "/"))) && names.size === 0;
  if (!isSame || state.length === 0 || sizes.reduce((a, b) => a + b) !== count) return undefined;
  const values = new Float64Array(count);
  for (const [name, at] of state) {
    const found = given.get(name.replaceAll(".", "/")) as Tensor;
    const { data } = checked(found, at, `${name} in ${file}`);
    at.data.forEach((place, i) => (values[place] = data[i] as number));
  }
  const filled = (tree: Tree<Tensor>) =>
    mapTree(tree, ({ data, shape }) =>
      tensor(
        Float64Array.from(data, (place) => values[place] as number),
        shape,
        "float64",
      ),
    );
  return { params: filled(places.params), statistics: filled(places.statistics) };
}

/** Whether a tensor counts batches, as PyTorch's batch normalization does. */
const isCount = (path: string): boolean => /(^|\/)num_batches_tracked$/.test(path);

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
