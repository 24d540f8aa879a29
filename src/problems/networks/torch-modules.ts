/** PyTorch's modules for the layers here: how `state_dict` names and lays out their parameters. */
import { tensor, type Tensor } from "../../engine/tensor.ts";
import type { TransformerBlock } from "../layers/attention.ts";
import type { BatchStatistics } from "../layers/normalization.ts";

/** Tensors by the names of a state_dict. */
export type TorchState = Readonly<Record<string, Tensor>>;

/** Parameters of a module at a place: `{ "0.weight": …, "0.bias": … }`. */
export const torchModule = (place: string | number, parameters: TorchState): TorchState =>
  Object.fromEntries(Object.entries(parameters).map(([name, leaf]) => [`${place}.${name}`, leaf]));

/** Running statistics as `nn.BatchNorm2d` calls them. */
export const torchStatistics = ({ mean, variance }: BatchStatistics): TorchState => ({
  running_mean: mean,
  running_var: variance,
});

/**
 * A transformer block as a module with `norm1`, `attention` (`nn.MultiheadAttention`, which keeps the
 * projections of queries, keys and values as one tensor), `norm2`, `up` and `down`.
 */
export function torchBlock({ norm1, attention, norm2, up, down }: TransformerBlock): TorchState {
  const { query, key, value, output } = attention;
  return {
    ...torchModule("norm1", norm1),
    "attention.in_proj_weight": stacked([query.weight, key.weight, value.weight]),
    "attention.in_proj_bias": stacked([query.bias, key.bias, value.bias]),
    ...torchModule("attention.out_proj", output),
    ...torchModule("norm2", norm2),
    ...torchModule("up", up),
    ...torchModule("down", down),
  };
}

/** Tensors of one shape, one below the other. */
function stacked(parts: readonly [Tensor, ...Tensor[]]): Tensor {
  const [{ shape, dtype }] = parts;
  const [rows = 0, ...sides] = shape;
  const values = parts.flatMap(({ data }) => Array.from(data));
  return tensor(values, [rows * parts.length, ...sides], dtype);
}

/** The same numbers in another shape. */
export const reshaped = ({ data, dtype }: Tensor, shape: readonly number[]): Tensor =>
  tensor(data, shape, dtype);
