/** PyTorch's names of a model's tensors: what `load_state_dict` takes. */
import { leavesWithPaths, type Tensor } from "../../engine/tensor.ts";
import type { Model, Problem } from "../problem.ts";

/** What PyTorch calls the running statistics of normalization layers. */
const statistics: Readonly<Record<string, string>> = {
  mean: "running_mean",
  variance: "running_var",
  var: "running_var",
};

/**
 * A model by PyTorch's names: those that the problem gives; else our paths with `.` for `/`, and
 * `running_mean` and `running_var` for running statistics.
 */
export function torchState(problem: Problem, model: Model): Readonly<Record<string, Tensor>> {
  if (problem.toTorch) return problem.toTorch(model);
  const params = leavesWithPaths<Tensor>(model.params);
  const kept = leavesWithPaths<Tensor>(model.statistics).map(([path, leaf]) => {
    const [last = ""] = path.split("/").slice(-1);
    const name = Object.hasOwn(statistics, last) ? statistics[last] : last;
    return [`${path.slice(0, path.length - last.length)}${name}`, leaf] as const;
  });
  return Object.fromEntries(
    [...params, ...kept].map(([path, leaf]) => [path.replaceAll("/", "."), leaf]),
  );
}
