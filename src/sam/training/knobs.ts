/** The layout of knobs: schedules become one number per step, constants one for all. */
import { InputError } from "../../engine/errors.ts";
import {
  scalarTensor,
  tensor,
  type Tensor,
  type TensorType,
  type Tree,
} from "../../engine/tensor.ts";
import type { FloatType } from "../../problems/problem.ts";
import { valueAt, type Schedule } from "../../settings/schedules.ts";
import type { Knobs, Method } from "../contract/method.ts";

/** A knob's dtype is the parameters': in float64 nothing passes through float32. */
export function knobTypes(method: Method, dtype: FloatType) {
  const types = (knobs: Knobs): Tree<TensorType> =>
    Object.fromEntries(
      Object.entries(knobs).map(([name, knob]) => [
        name,
        isSchedule(knob) ? { dtype, shape: [] } : types(knob),
      ]),
    );
  return { method: types(method.knobs), outer: types(method.outer.knobs) };
}

/** Knob values for steps `first` … `first + count − 1` of `steps`; constants are held, not repeated. */
export function layOutKnobs(
  method: Method,
  dtype: FloatType,
  first: number,
  count: number,
  steps: number,
) {
  const values = (knobs: Knobs): Tree<Tensor> =>
    Object.fromEntries(
      Object.entries(knobs).map(([name, knob]) => {
        if (!isSchedule(knob)) return [name, values(knob)];
        if (typeof knob === "number") return [name, scalarTensor(knob, dtype)];
        const each = Array.from({ length: count }, (_, i) => valueAt(knob, first + i, steps));
        const wrong = each.findIndex((value) => typeof value !== "number" || Number.isNaN(value));
        if (wrong >= 0) {
          throw new InputError(
            `invalid ${name}: ${String(each[wrong])} at step ${first + wrong} (its schedule must give numbers)`,
          );
        }
        return [name, tensor(each, [count], dtype)];
      }),
    );
  return { method: values(method.knobs), outer: values(method.outer.knobs) };
}

const isSchedule = (knob: Schedule | Knobs): knob is Schedule => typeof knob !== "object";
