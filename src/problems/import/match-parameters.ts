/** Points from elsewhere: tensors by name, matched to the parameters of a problem. */
import { InputError } from "../../engine/errors.ts";
import {
  castFloat,
  leavesWithPaths,
  unflattenLike,
  type Tensor,
  type Tree,
} from "../../engine/tensor.ts";
import type { Problem } from "../problem.ts";

/**
 * The parameters of a problem from tensors by name: our own names (`layers/0/weight`, with `/` or
 * `.`), or those of a PyTorch `nn.Sequential` (`0.weight`, `0.bias`, `2.weight`, …), whose numbered
 * modules are taken as layers in ascending order.
 *
 * @param name what messages call the tensors.
 * @throws {InputError} when a tensor is missing, left over, of another shape, or not finite.
 */
export function matchParameters(
  problem: Problem,
  tensors: Readonly<Record<string, Tensor>>,
  name = "point",
): Tree<Tensor> {
  const expected = problem.init(0);
  const given = new Map(
    Object.entries(tensors).map(([key, leaf]) => [key.replaceAll(".", "/"), leaf]),
  );
  const renamed = new Map(
    [...given].map(([key, leaf]) => [layerName(key, [...given.keys()]), leaf]),
  );
  const leaves = leavesWithPaths(expected).map(([path, { shape }]) => {
    const leaf = renamed.get(path);
    if (leaf === undefined) {
      const found = [...given.keys()].slice(0, 6).join(", ") || "nothing";
      throw new InputError(`missing ${path} in ${name}: it has ${found}`);
    }
    renamed.delete(path);
    if (!leaf.dtype.startsWith("float")) {
      throw new InputError(
        `invalid ${path} in ${name}: dtype ${leaf.dtype} (give float32 or float64)`,
      );
    }
    if (String(leaf.shape) !== String(shape)) {
      throw new InputError(
        `invalid ${path} in ${name}: shape [${leaf.shape.join(", ")}] (give [${shape.join(", ")}])`,
      );
    }
    const wrong = leaf.data.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0) {
      throw new InputError(
        `invalid ${path} in ${name}: element ${wrong} is ${leaf.data[wrong]} (give finite numbers)`,
      );
    }
    return castFloat(leaf, "float64");
  });
  const [extra] = renamed.keys();
  if (extra !== undefined) {
    throw new InputError(
      `unknown ${extra} in ${name}: problem ${problem.name} has no such parameter`,
    );
  }
  return unflattenLike(expected, leaves);
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
