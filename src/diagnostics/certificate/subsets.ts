/** Certificates from subsets: of a loss over some of the samples, with error bars from others. */
import { InputError } from "../../engine/errors.ts";
import { randomStream } from "../../engine/random.ts";
import { onSamples } from "../../problems/subset.ts";
import { extremeEigenvalues } from "../algebra/lanczos.ts";
import { compileDerivatives, flatten } from "../point/derivatives.ts";
import { samPoint } from "../point/sam-point.ts";
import type { Certificate } from "./certificate.ts";
import { certify, radiusOf, type CertifyOptions } from "./certify.ts";

/** How many samples, and how many subsets. */
export interface SubsetOptions extends CertifyOptions {
  /** Samples per subset. */
  readonly samples: number;
  /** Subsets, the certified one included; default 4. */
  readonly subsets?: number | undefined;
}

/**
 * Certify a point on a random subset of the training samples: the certificate holds for the loss over
 * these. The numbers at the point that was given are then taken on further subsets of the same size,
 * disjoint where there are samples enough. Their standard deviation is the error bar: how far a number
 * from one subset lies, typically, from that of the whole, where the subset is a small part of it.
 *
 * @throws {InputError} when there are not so many samples.
 */
export async function certifySubset({
  samples,
  subsets = 4,
  ...options
}: SubsetOptions): Promise<Certificate> {
  const { problem, statistics, mode, engine = {}, seed = 0, onProgress } = options;
  const { size } = problem.train;
  if (!Number.isInteger(samples) || samples < 1 || samples > size) {
    throw new InputError(`invalid samples: ${samples} (give a whole number from 1 to ${size})`);
  }
  if (!Number.isInteger(subsets) || subsets < 2) {
    throw new InputError(`invalid subsets: ${subsets} (give 2 or more)`);
  }
  const order = randomStream(seed, "samples", 0).permutation(size);
  const chosen = Array.from({ length: subsets }, (_, i) =>
    subsets * samples <= size
      ? order.subarray(i * samples, (i + 1) * samples)
      : randomStream(seed, "samples", i).permutation(size).subarray(0, samples),
  );
  const [first = order] = chosen;
  const certificate = await certify({ ...options, problem: onSamples(problem, first) });
  const rho = radiusOf(options);
  const x = flatten(options.point);
  const seen: { readonly [name: string]: number }[] = [];
  for (const [i, indices] of chosen.entries()) {
    onProgress?.(`error bars: subset ${i + 1} of ${subsets}`);
    const f = await compileDerivatives(onSamples(problem, indices), {
      statistics,
      mode,
      ...engine,
    });
    try {
      const at = await samPoint(f, x, rho);
      const search = { dimension: f.dimension, tolerance: 1e-4, maxApplications: 200, seed };
      const hessian = await extremeEigenvalues({ ...search, operator: at.hessian });
      const { loss, shiftedLoss, gradNorm, shiftedGradNorm, gradRatio } = at;
      seen.push({
        loss,
        shiftedLoss,
        gradNorm,
        shiftedGradNorm,
        gradRatio,
        hessianMin: hessian.lowest.value,
        hessianMax: hessian.highest.value,
      });
    } finally {
      await f.dispose();
    }
  }
  const names = Object.keys(seen[0] ?? {});
  return {
    ...certificate,
    subset: {
      samples,
      of: size,
      subsets,
      numbers: Object.fromEntries(
        names.map((name) => {
          const values = seen.map((numbers) => numbers[name] ?? NaN);
          const mean = values.reduce((a, b) => a + b, 0) / subsets;
          const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
          return [name, { mean, deviation: Math.sqrt(squares / (subsets - 1)) }];
        }),
      ),
    },
  };
}
