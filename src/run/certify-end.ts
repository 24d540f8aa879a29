/** Certificates of where runs end, in float64 whatever the run computed in. */
import type { Certificate } from "../diagnostics/certificate/certificate.ts";
import { certify, type CertifyOptions } from "../diagnostics/certificate/certify.ts";
import type { EngineOptions } from "../engine/index.ts";
import { castFloat, leavesOf, mapTree, type Tensor, type Tree } from "../engine/tensor.ts";
import type { Sources } from "../problems/sources.ts";
import type { Model } from "../problems/problem.ts";
import { whyNoField } from "../diagnostics/point/direction.ts";
import { buildMethod, buildProblem } from "./build.ts";
import { lastRho } from "./radius.ts";
import type { RunSpec } from "./spec.ts";

/**
 * Certify a run's final model at its ρ and learning rate, as its method sees it on the full batch, or
 * as SAM does where the method draws random numbers or remembers earlier steps; `null` where that
 * has no meaning: without a ρ, or at a point that is not finite.
 */
export async function certifyEnd(
  spec: RunSpec,
  { params, statistics }: Model,
  sources: Sources,
  { onProgress, ...engine }: EngineOptions & Pick<CertifyOptions, "onProgress">,
): Promise<Certificate | null> {
  const rho = lastRho(spec.rho, spec.steps);
  const finite = leavesOf<Tensor>([params, statistics]).every(({ data }) =>
    data.every(Number.isFinite),
  );
  if (!(rho > 0) || !finite) return null;
  const problem = await buildProblem({ ...spec, dtype: "float64" }, sources);
  const exact = (tree: Tree<Tensor>) => mapTree(tree, (leaf) => castFloat(leaf, "float64"));
  const method = buildMethod(spec);
  return certify({
    problem,
    method: whyNoField(method, problem) === undefined ? method : undefined,
    point: exact(params),
    statistics: exact(statistics),
    start: problem.init(spec.seed),
    rho,
    learningRate: spec.lr,
    engine,
    onProgress,
  });
}
