/** Certificates of what real networks have and toys do not: kinks, and more samples than fit at once. */
import { describe, expect, test } from "vitest";
import { multiply, scalar, square } from "../../engine/arrays.ts";
import { np } from "../../engine/jax-js.ts";
import { tensor, type Tensor } from "../../engine/tensor.ts";
import { activations } from "../../problems/networks/activations.ts";
import { mlp } from "../../problems/networks/mlp.ts";
import { regression } from "../../problems/networks/regression.ts";
import type { Problem } from "../../problems/problem.ts";
import { onSamples } from "../../problems/subset.ts";
import { asam } from "../../sam/methods/asam.ts";
import { sam } from "../../sam/methods/sam.ts";
import { sgd } from "../../sam/parts/outer.ts";
import { compileDerivatives, flatten } from "../point/derivatives.ts";
import { compileKinks } from "../point/kinks.ts";
import { certificateSchema } from "./certificate.ts";
import { certify } from "./certify.ts";
import { describeCertificate } from "./report.ts";
import { certifySubset } from "./subsets.ts";

/** f(w) = w²/2 + max(w − s, 0)² + max(−w − s, 0)²: kinks of second order at ±s. */
const kinked = (s: number): Problem => ({
  name: "kinked",
  dtype: "float64",
  init: () => ({ w: tensor([0], [1], "float64") }),
  role: () => "weight",
  train: { size: 1, batch: { one: tensor([1], [1], "float64") } },
  forward(params, batch) {
    const { w } = params as { w: np.Array };
    const beyond = (x: np.Array) => square(activations.relu(np.subtract(x, scalar(s, x))));
    const walls = np.add(beyond(w.ref), beyond(np.negative(w.ref)));
    const loss = np.add(multiply(square(w), scalar(0.5, w)), walls);
    return { losses: multiply((batch as { one: np.Array }).one, loss) };
  },
});
const origin = { w: tensor([0], [1], "float64") };

describe("a loss with kinks", () => {
  const rho = 0.5;
  const judge = (s: number) => certify({ problem: kinked(s), point: origin, rho });

  test("is said to be piecewise smooth, where none is near", async () => {
    const { verdict, smoothness } = await judge(0.1);
    expect(verdict.name).toBe("minimizer");
    // Both relus see one number each.
    expect(smoothness).toMatchObject({ units: 2, atKink: 0, withinReach: 0, reach: 5e-4 });
    expect(verdict.sentence).toContain(
      "The loss is piecewise smooth; derivatives are those of the piece at the point: none of 2 pre-activations",
    );
  });

  test("says how many kinks lie within the displaced copies' reach", async () => {
    const { verdict, smoothness } = await judge(2e-4);
    expect(verdict.name).toBe("minimizer");
    // A copy at ±5e-4 has passed one of the two.
    expect(smoothness).toMatchObject({ units: 2, atKink: 0, withinReach: 1 });
    expect(verdict.sentence).toContain("up to 1 of 2 pre-activations change sign");
  });

  test("has no Hessian at a kink, and none is claimed", async () => {
    const found = await judge(0);
    expect(found.verdict.name).toBe("inconclusive");
    expect(found.smoothness?.atKink).toBe(2);
    expect(found.verdict.sentence).toContain("it has no Hessian");
    expect(certificateSchema.parse(JSON.parse(JSON.stringify(found)))).toEqual(found);
    expect(describeCertificate(found)).toContain("it has no Hessian");
  });
});

test("kinks are counted sample by sample, in blocks or at once; smooth networks have none", async () => {
  const network = (activation: "relu" | "tanh") =>
    mlp({
      dtype: "float64",
      hidden: [3],
      activation,
      train: {
        size: 5,
        batch: {
          x: tensor([1, -2, 0.5, 3, -0.25], [5, 1], "float64"),
          y: tensor([0, 1, 0, 1, 0], [5], "int32"),
        },
      },
    });
  const problem = network("relu");
  const at = (weights: number[], biases: number[]) => {
    const params = problem.init(0) as { layers: object[] };
    const first = {
      weight: tensor(weights, [3, 1], "float64"),
      bias: tensor(biases, [3], "float64"),
    };
    return flatten({ layers: [first, params.layers[1]] } as never);
  };
  const [from, to] = [at([1, -1, 2], [0.25, 0, 0]), at([1, -1, 2], [0.25, 1, -0.75])];
  // z = x + ¼: 0 at the last sample. z = −x becomes 1 − x: signs change at 0.5 and, from 0 on, nowhere
  // else but x = 1, which goes from −1 to 0 and stays at most 0. z = 2x becomes 2x − ¾: none changes at
  // 1, 3 and the negative ones, and 1 stays above at 0.5, where it is ¼.
  const expected = { units: 15, atKink: 1, between: 1 };
  for (const block of [5, 2, 1]) {
    const kinks = await compileKinks(problem, { block });
    expect(await kinks?.count(from, to), `blocks of ${block}`).toEqual(expected);
    await kinks?.dispose();
  }
  expect(await compileKinks(network("tanh"))).toBeUndefined();
});

describe("more samples than fit into a pass", () => {
  const problem = regression();
  const values = [
    -0.48704912104, -0.29334313386, 0.78952024637, 0.02492411786, 0.38809939645, -0.29577026322,
    -0.37770061104,
  ];
  const part = (from: number, to: number) => tensor(values.slice(from, to), [to - from], "float64");
  const point = { w: part(0, 2), b: part(2, 4), a: part(4, 6), c: part(6, 7) };
  const outer = sgd({ learningRate: 0.01 });

  test("are taken in blocks, and the certificate is the same", async () => {
    const asked = { problem, point, rho: 2, learningRate: 0.01, steps: 15 };
    const whole = await certify({ ...asked, method: sam({ rho: 2, outer }) });
    const blocked = await certify({ ...asked, method: sam({ rho: 2, outer }), block: 5 });
    expect(blocked.verdict.name).toBe("hallucinated-minimizer");
    expect(blocked.attracting.answer).toBe(whole.attracting.answer);
    expect(blocked.loss).toBeCloseTo(whole.loss, 12);
    const { min, max } = whole.shiftedHessian;
    expect(blocked.shiftedHessian.min).toBeCloseTo(min, 10);
    expect(blocked.shiftedHessian.max).toBeCloseTo(max, 10);
    whole.details.runs.forEach(({ start, finalDistance }, i) => {
      expect(blocked.details.runs[i]).toMatchObject({ start });
      expect(blocked.details.runs[i]?.finalDistance).toBeCloseTo(finalDistance ?? NaN, 8);
    });
    expect(blocked.memory).toMatchObject({ block: 5, vectors: 160, vectorBytes: 160 * 7 * 8 });
    expect(blocked.memory?.blockBytes).toBeGreaterThan(5 * 2 * 8 * 10);
    expect(describeCertificate(blocked)).toContain("Samples were taken 5 at a time");
    expect(whole.memory).toBeUndefined();
    await expect(certify({ ...asked, method: asam({ rho: 2, outer }), block: 5 })).rejects.toThrow(
      /^invalid method: asam takes all 16 samples in one pass/,
    );
  });

  test("may be certified on a subset, with the spread over others as error bars", async () => {
    const found = await certifySubset({ problem, point, rho: 2, samples: 4, steps: 5, seed: 1 });
    expect(found.subject?.samples).toBe(4);
    expect(found.subset).toMatchObject({ samples: 4, of: 16, subsets: 4 });
    // Four disjoint quarters: the mean of their losses is the loss on all.
    const f = await compileDerivatives(problem);
    const { loss } = await f.lossAndGradient(flatten(point));
    await f.dispose();
    expect(found.subset?.numbers["loss"]?.mean).toBeCloseTo(loss, 12);
    expect(found.subset?.numbers["loss"]?.deviation).toBeGreaterThan(0.01);
    expect(describeCertificate(found)).toContain("Certified on 4 of 16 samples");
    await expect(certifySubset({ problem, point, rho: 2, samples: 17 })).rejects.toThrow(
      "invalid samples: 17 (give a whole number from 1 to 16)",
    );
    const some = onSamples(problem, [3, 0]);
    const { x } = some.train.batch as { x: Tensor };
    const { x: all } = problem.train.batch as { x: Tensor };
    expect([...x.data]).toEqual([all.data[3], all.data[0]]);
  });
});
