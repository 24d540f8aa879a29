/** The search for hallucinated points, around a critical point or on a plane, with a certificate for each. */
import type { EngineOptions } from "../../engine/index.ts";
import { tensor, type Tensor, type Tree } from "../../engine/tensor.ts";
import type { Plane, Problem } from "../../problems/problem.ts";
import type { Certificate } from "../certificate/certificate.ts";
import { certify, type CertifyOptions } from "../certificate/certify.ts";
import { compileDerivatives, flatten, planeDerivatives, unflatten } from "../point/derivatives.ts";
import { searchPlane } from "./plane-search.ts";
import { searchSphere, type SphereSearch } from "./sphere.ts";
import { norm, type Vector } from "../algebra/vectors.ts";

/** What to search, at which ρ, and how what is found is certified. */
export interface FindOptions extends Pick<
  CertifyOptions,
  "statistics" | "mode" | "tolerances" | "steps" | "learningRate"
> {
  /** In float64. */
  readonly problem: Problem;
  readonly rho: number;
  /** Certify at most so many points; default 10. */
  readonly certifyAtMost?: number;
  readonly engine?: EngineOptions;
  readonly onProgress?: (what: string) => void;
}

/** A point and what it is. */
export interface FoundPoint {
  readonly x: Vector;
  readonly certificate: Certificate;
}

/** What the search around a critical point found. */
export interface SphereFindings {
  /** ‖∇f‖ at the center, which is ‖g⁺‖ of every point whose ascent point is the center. */
  readonly centerGradNorm: number;
  readonly search: SphereSearch;
  /** Certificates of the points whose ascent point is the center, lowest loss first. */
  readonly found: readonly FoundPoint[];
}

/**
 * Hallucinated points whose ascent point is a given critical point, such as a known minimizer:
 * constrained minima on the sphere around it, certified.
 */
export async function findAround({
  center,
  starts,
  seed,
  maxSteps,
  ...options
}: FindOptions & {
  /** A critical point of the loss. */
  readonly center: Tree<Tensor>;
  /** Random starts on the sphere; default 16. */
  readonly starts?: number | undefined;
  readonly seed?: number | undefined;
  /** Descent steps per start; default 500. */
  readonly maxSteps?: number | undefined;
}): Promise<SphereFindings> {
  const { problem, statistics, mode, rho, engine, onProgress } = options;
  const f = problem.plane
    ? planeDerivatives(problem.plane)
    : await compileDerivatives(problem, { statistics, mode, ...engine });
  try {
    const c = flatten(center);
    const search = await searchSphere({
      f,
      center: c,
      rho,
      starts,
      seed,
      maxSteps,
      onProgress: (start, of) => onProgress?.(`start ${start + 1} of ${of}`),
    });
    return {
      centerGradNorm: norm((await f.lossAndGradient(c)).gradient),
      search,
      found: await certifyAll(
        search.hallucinated.map(({ x }) => x),
        options,
      ),
    };
  } finally {
    await f.dispose();
  }
}

/** All hallucinated points in the domain of a plane, certified. */
export async function findOnPlane(
  options: FindOptions & { readonly plane: Plane; readonly resolution?: number },
): Promise<readonly FoundPoint[]> {
  const { plane, rho, resolution } = options;
  const points = await searchPlane({ plane, rho, resolution });
  return certifyAll(
    points.map(({ x }) => x),
    options,
  );
}

async function certifyAll(
  points: readonly Vector[],
  {
    problem,
    statistics,
    mode,
    rho,
    certifyAtMost = 10,
    tolerances,
    steps,
    learningRate,
    engine,
    onProgress,
  }: FindOptions,
): Promise<FoundPoint[]> {
  const found: FoundPoint[] = [];
  const like = problem.init(0);
  for (const [i, x] of points.slice(0, certifyAtMost).entries()) {
    onProgress?.(`certifying ${i + 1} of ${Math.min(certifyAtMost, points.length)}`);
    const point = problem.plane ? { x: tensor(x, [2], "float64") } : unflatten(like, x);
    const certificate = await certify({
      problem,
      point,
      statistics,
      mode,
      rho,
      ...(tolerances && { tolerances }),
      ...(steps !== undefined && { steps }),
      ...(learningRate !== undefined && { learningRate }),
      ...(engine && { engine }),
    });
    found.push({ x, certificate });
  }
  return found;
}
