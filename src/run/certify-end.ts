/** Certificates of where runs end, in float64 whatever the run computed in. */
import type { Certificate } from "../diagnostics/certificate/certificate.ts";
import { certify } from "../diagnostics/certificate/certify.ts";
import type { EngineOptions } from "../engine/index.ts";
import { leavesOf, mapTree, tensor, type Tensor, type Tree } from "../engine/tensor.ts";
import { buildProblem, type DatasetLoader } from "./build.ts";
import type { RunSpec } from "./spec.ts";

/**
 * Certify a run's final parameters at its ρ and learning rate; `null` where that has no meaning:
 * without a ρ, or at a point that is not finite.
 */
export async function certifyEnd(
  spec: RunSpec,
  params: Tree<Tensor>,
  loadDataset: DatasetLoader,
  engine: EngineOptions,
): Promise<Certificate | null> {
  // A schedule's text counts as its first number, as in figures.
  const rho = Number.parseFloat(String(spec.rho ?? 0));
  const finite = leavesOf(params).every(({ data }) => data.every(Number.isFinite));
  if (!(rho > 0) || !finite) return null;
  const problem = await buildProblem({ ...spec, dtype: "float64" }, loadDataset);
  const point = mapTree(params, ({ data, shape }) => tensor(data, shape, "float64"));
  return certify({ problem, point, rho, learningRate: spec.lr, engine });
}
