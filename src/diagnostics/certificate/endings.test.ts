/** Certificates where matrices are as bad as they come: each ends within its bounds, and says what it found. */
import { Matrix } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { InputError } from "../../engine/errors.ts";
import { mapTree, tensor } from "../../engine/tensor.ts";
import { mlp } from "../../problems/networks/mlp.ts";
import { planes } from "../../problems/planes/index.ts";
import { sam } from "../../sam/methods/sam.ts";
import { along, dot, norm, randomUnit, type Vector } from "../algebra/vectors.ts";
import type { Derivatives } from "../point/derivatives.ts";
import { certificateSchema, type Certificate } from "./certificate.ts";
import { certify, certifyPoint } from "./certify.ts";
import { compiledRunner } from "./nearby-runs.ts";
import { describeCertificate } from "./report.ts";

const n = 40;
const rho = 1;

/** H x, by loops. */
const times = (h: Matrix, x: Vector): Vector =>
  Float64Array.from({ length: n }, (_, i) => dot(Float64Array.from(h.getRow(i)), x));

/**
 * A loss with any Hessians at a point x = 0 and at its ascent point c = ρu, where the gradient
 * vanishes: uᵀx + xᵀHx/2 near x, (x − c)ᵀH⁺(x − c)/2 near c.
 */
function twoBowls(u: Vector, hessian: Matrix, shiftedHessian: Matrix) {
  const cost = { products: 0, gradients: 0 };
  const center = u.map((value) => rho * value);
  const at = (x: Vector) => {
    const isNear = norm(x) < rho / 2;
    return {
      isNear,
      h: isNear ? hessian : shiftedHessian,
      from: isNear ? x : along(x, -1, center),
    };
  };
  const f: Derivatives = {
    dimension: n,
    engine: "two bowls",
    cost,
    async lossAndGradient(x) {
      cost.gradients += 1;
      const { isNear, h, from } = at(x);
      // Where the Hessian is not finite the gradient still is.
      const bent = norm(from) === 0 ? new Float64Array(n) : times(h, from);
      const gradient = isNear ? along(u, 1, bent) : bent;
      return { loss: (isNear ? dot(u, x) + 1 : 0) + dot(from, bent) / 2, gradient };
    },
    async hessianTimes(x, v) {
      cost.products += 1;
      return times(at(x).h, v);
    },
    async hessian(x) {
      cost.products += n;
      return at(x)
        .h.to2DArray()
        .map((row) => Float64Array.from(row));
    },
    async dispose() {},
  };
  return f;
}

const u = randomUnit(n, 0, "u");
const random = (name: string) => {
  const a = Matrix.from1DArray(n, n, randomUnit(n * n, 1, name)).mul(Math.sqrt(n));
  return Matrix.add(a, a.transpose());
};
const diagonal = (of: (i: number) => number) =>
  Matrix.diag(Array.from({ length: n }, (_, i) => of(i)));
const outer = (a: Vector, b: Vector) => Matrix.columnVector(a).mmul(Matrix.rowVector(b));
/** b uᵀ + u bᵀ: of M nothing is left but what couples u to b. */
const coupling = (size: number) => {
  const b = randomUnit(n, 0, "b");
  return Matrix.add(outer(b, u), outer(u, b)).mul(size);
};

/** Verdict and answer with whole spectra, and by iterations. */
type Outcome = readonly [verdict: string, attracting: string];

const cases: [name: string, h: Matrix, shifted: Matrix, whole: Outcome, iterated: Outcome][] = [
  [
    "all zero",
    Matrix.zeros(n, n),
    Matrix.zeros(n, n),
    ["inconclusive", "unknown"],
    ["inconclusive", "unknown"],
  ],
  [
    // H⁺M = M = I + b uᵀ: one eigenvalue, one block of Jordan's.
    "defective",
    coupling(1),
    Matrix.eye(n),
    ["hallucinated-minimizer", "yes"],
    ["hallucinated-minimizer", "yes"],
  ],
  [
    "far from normal",
    Matrix.add(coupling(100), random("h").mul(0.01)),
    diagonal((i) => 10 ** (-i / 8)),
    // Copies leave for a while before they would come back.
    ["hallucinated-minimizer", "unknown"],
    ["hallucinated-minimizer", "unknown"],
  ],
  [
    "flat in 30 of 40 directions",
    random("h").mul(0.01),
    diagonal((i) => (i < 10 ? 1 : 0)),
    ["hallucinated-minimizer", "yes"],
    // Without its kernel nothing tells the iterations that copies may stay.
    ["hallucinated-minimizer", "unknown"],
  ],
  [
    "graded from 1 to 1e-312",
    diagonal((i) => 10 ** (-8 * i)),
    diagonal((i) => 10 ** (-8 * i)),
    ["hallucinated-minimizer", "yes"],
    ["hallucinated-minimizer", "unknown"],
  ],
  [
    "a maximizer above, saddle of M",
    random("h"),
    Matrix.eye(n).mul(-1),
    ["hallucinated-maximizer", "no"],
    ["hallucinated-maximizer", "no"],
  ],
];

/** Certify x = 0, and say what was on the way. */
async function certified(h: Matrix, shifted: Matrix, denseLimit: number, learningRate?: number) {
  const f = twoBowls(u, h, shifted);
  const progress: string[] = [];
  const certificate = await certifyPoint(
    {
      f,
      x: new Float64Array(n),
      rho,
      method: { name: "sam", momentum: 0, nesterov: false, weightDecay: 0 },
      runner: compiledRunner({
        problem: planes.quadratic.create(),
        method: sam({ rho }),
        sam: { f, rho },
      }),
      problem: "two bowls",
      samples: 1,
    },
    { denseLimit, steps: 20, learningRate, onProgress: (what) => progress.push(what) },
  ).catch((error: unknown) => error);
  return { certificate: certificate as Certificate | InputError, cost: f.cost, progress };
}

describe.each(cases)("%s", (_, h, shifted, whole, iterated) => {
  test.each([
    [1000, whole],
    [0, iterated],
  ])("whole spectra up to %d parameters: %j", async (denseLimit, outcome) => {
    const { certificate: found, cost } = await certified(h, shifted, denseLimit);
    if (found instanceof Error) throw found;
    expect([found.verdict.name, found.attracting.answer]).toEqual(outcome);
    expect(found.details.dense).toBe(denseLimit > 0);
    expect(cost.products).toBeLessThan(2500);
    expect(cost.gradients).toBeLessThan(500);
    expect(certificateSchema.parse(JSON.parse(JSON.stringify(found)))).toEqual(found);
    expect(describeCertificate(found)).toContain(found.verdict.name);
  });
});

test.each([
  ["H⁺", "x⁺", NaN],
  ["H⁺", "x⁺", Infinity],
  ["H", "x", NaN],
  ["H", "x", Infinity],
])(
  "%s with an entry that is not finite is refused, after both ways were tried",
  async (name, where, entry) => {
    const good = random("h");
    const bad = random("entry").set(3, 5, entry).set(5, 3, entry);
    for (const denseLimit of [1000, 0]) {
      const [h, shifted] = name === "H" ? [bad, good] : [good, bad];
      const { certificate, cost, progress } = await certified(h, shifted, denseLimit);
      expect(certificate).toBeInstanceOf(InputError);
      expect((certificate as InputError).message).toBe(
        `invalid point: the Hessian of its loss is not finite at ${where} (give a point beside which the loss has second derivatives)`,
      );
      const switched = progress.some((what) => what.endsWith("iterating instead"));
      expect([denseLimit, switched]).toEqual([denseLimit, denseLimit > 0]);
      expect(cost.products).toBeLessThan(1000);
    }
  },
);

test("copies that leave all bounds have left, and their distance is not told", async () => {
  const { certificate: found } = await certified(Matrix.eye(n), Matrix.eye(n), 1000, 1e30);
  if (found instanceof Error) throw found;
  expect(found.details.runs.length).toBeGreaterThan(3);
  for (const { outcome, finalDistance } of found.details.runs) {
    expect([outcome, finalDistance]).toEqual(["left", null]);
  }
  expect(certificateSchema.parse(JSON.parse(JSON.stringify(found)))).toEqual(found);
  expect(describeCertificate(found)).toContain("then not finite");
});

describe("at the loss of guessing", () => {
  const [count, width, classes] = [30, 4, 3];
  const train = {
    size: count,
    batch: {
      x: tensor(
        Array.from({ length: count * width }, (_, i) => Math.sin(1.7 * i + 0.3 * i * i)),
        [count, width],
        "float64",
      ),
      y: tensor(
        Array.from({ length: count }, (_, i) => i % classes),
        [count],
        "int32",
      ),
    },
  };
  /** All weights of one layer zero: the output is constant, and biases are at their best. */
  const constant = (activation: "tanh" | "relu", zero: readonly string[]) => {
    const problem = mlp({ train, hidden: [5], activation, dtype: "float64" });
    const point = mapTree(problem.init(2), (leaf, path) =>
      zero.some((name) => path.startsWith(name))
        ? tensor(
            Array.from(leaf.data, () => 0),
            leaf.shape,
            "float64",
          )
        : leaf,
    );
    return { problem, point };
  };
  test.each([
    ["tanh", ["layers/1"], "oscillating"],
    ["tanh", ["layers/0", "layers/1"], "saddle"],
    ["relu", ["layers/1"], "oscillating"],
    ["relu", ["layers/0", "layers/1"], "inconclusive"],
  ] as const)("%s, zeros in %j: %s", async (activation, zero, verdict) => {
    const { problem, point } = constant(activation, zero);
    for (const denseLimit of [1000, 0]) {
      const found = await certify({ problem, point, rho: 0.5, denseLimit, steps: 50 });
      expect(found.subject?.loss).toBeCloseTo(Math.log(classes), 12);
      expect([denseLimit, found.verdict.name]).toEqual([denseLimit, verdict]);
    }
  });
});
