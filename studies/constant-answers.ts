/**
 * Zeros of g⁺ at constant answers: from a stalled iterate x of a network with one hidden layer to an
 * x whose ascent point answers every image with the class frequencies.
 *
 * Where the rows of the last weights W are equal, the last biases give the class frequencies p, and
 * the hidden features h are uncorrelated with the labels, ∇f = 0:
 *
 *     c(W, b, h) = (W − mean row, b − log p − mean, mean (y − p) hᵀ) = 0,
 *
 * some 1,161 conditions on 13,258 weights. Solving c(x⁺(x)) = 0 in x is better posed than solving
 * g⁺(x) = 0: near W = 0 the gradient of the first layer is W times something, and its Jacobian has
 * eigenvalues as small as W beside thousands that are 0.
 */
import { Matrix } from "ml-matrix";
import type { Problem, Tensor } from "lucid-sam";
import {
  along,
  norm,
  samPoint,
  scaled,
  unflatten,
  flatten,
  type Derivatives,
  type SamPoint,
  type Vector,
} from "lucid-sam/diagnostics";
import { tensor } from "lucid-sam/engine";

/** Where the iteration stood. */
export interface ConstantStep {
  readonly products: number;
  readonly loss: number;
  readonly shiftedLoss: number;
  readonly gradNorm: number;
  readonly shiftedGradNorm: number;
  /** ‖c(x⁺)‖. */
  readonly residual: number;
  /** Distance from the start. */
  readonly moved: number;
}

/** What the search led to. */
export interface ConstantSearch {
  readonly point: SamPoint;
  readonly steps: readonly ConstantStep[];
  /** Whether ‖c(x⁺)‖ came down to 1e-12. */
  readonly converged: boolean;
}

/** The network in matrices: [out, in] weights, features by images. */
interface Layers {
  readonly w1: Matrix;
  readonly b1: Matrix;
  readonly w2: Matrix;
  readonly b2: Matrix;
}

const matrixOf = ({ data, shape }: Tensor): Matrix =>
  Matrix.from1DArray(shape[0] ?? 1, shape[1] ?? 1, [...data]);

const tensorOf = (matrix: Matrix, ...shape: number[]): Tensor =>
  tensor(matrix.to1DArray(), shape, "float64");

const join = (w: Matrix, b: Matrix, c: Matrix): Vector =>
  Float64Array.from([...w.to1DArray(), ...b.to1DArray(), ...c.to1DArray()]);

/** Remove from every column its mean: adding a number to all outputs changes no answer. */
const centered = (matrix: Matrix): Matrix => matrix.clone().subRowVector(matrix.mean("column"));

/** The conditions at constant answers, for one problem. */
class ConstantAnswers {
  readonly #problem: Problem;
  /** [inputs, images]. */
  readonly #images: Matrix;
  /** (images, 1), [images, inputs + 1]. */
  readonly #extended: Matrix;
  /** (y − p)/n, [classes, images]. */
  readonly #labels: Matrix;
  readonly #logFrequencies: Matrix;

  constructor(problem: Problem) {
    const { x, y } = problem.train.batch as { x: Tensor; y: Tensor };
    this.#problem = problem;
    this.#images = Matrix.from1DArray(x.shape[0] ?? 1, x.data.length / (x.shape[0] ?? 1), [
      ...x.data,
    ]).transpose();
    const { rows, columns } = this.#images;
    this.#extended = Matrix.ones(columns, rows + 1);
    this.#extended.setSubMatrix(this.#images.transpose(), 0, 0);
    const labels = Matrix.zeros(problem.outputs ?? 0, y.data.length);
    y.data.forEach((label, image) => labels.set(label, image, 1));
    const frequencies = labels.mean("row");
    this.#labels = labels.subColumnVector(frequencies).div(y.data.length);
    this.#logFrequencies = Matrix.columnVector(frequencies.map(Math.log));
  }

  layers(x: Vector): Layers {
    const { layers } = unflatten(this.#problem.init(0), x) as {
      layers: { weight: Tensor; bias: Tensor }[];
    };
    const [first, second] = layers;
    if (!first || !second || layers.length > 2) throw new Error("not one hidden layer");
    return {
      w1: matrixOf(first.weight),
      b1: matrixOf(first.bias),
      w2: matrixOf(second.weight),
      b2: matrixOf(second.bias),
    };
  }

  #flat({ w1, b1, w2, b2 }: Layers): Vector {
    return flatten({
      layers: [
        { weight: tensorOf(w1, w1.rows, w1.columns), bias: tensorOf(b1, b1.rows) },
        { weight: tensorOf(w2, w2.rows, w2.columns), bias: tensorOf(b2, b2.rows) },
      ],
    });
  }

  #hidden({ w1, b1 }: Layers): Matrix {
    return w1.mmul(this.#images).addColumnVector(b1).tanh();
  }

  #covariance(features: Matrix): Matrix {
    return this.#labels.mmul(features.transpose());
  }

  /** c at y. */
  value(y: Vector): Vector {
    const layers = this.layers(y);
    const { w2, b2 } = layers;
    return join(
      centered(w2),
      centered(Matrix.sub(b2, this.#logFrequencies)),
      this.#covariance(this.#hidden(layers)),
    );
  }

  /**
   * The derivative of c at y, and its transpose. The covariances of a hidden unit with the classes move
   * with its own weights and bias alone, by A = (y − p)/n · diag(1 − h²) · (images, 1). They are measured in
   * units of that: L⁻¹ times them, A Aᵀ = L Lᵀ, so that L⁻¹A has orthonormal rows. The last class follows
   * from the others.
   */
  linearized(y: Vector) {
    const layers = this.layers(y);
    const { w2 } = layers;
    const hidden = this.#hidden(layers);
    const classes = w2.rows;
    const labels = this.#labels.subMatrix(0, classes - 2, 0, this.#labels.columns - 1);
    const units = Array.from({ length: hidden.rows }, (_, unit) => {
      const slopes = hidden.getRow(unit).map((h) => 1 - h * h);
      const rows = labels.clone().mulRowVector(slopes).mmul(this.#extended);
      const inverse = inverseFactor(rows.mmul(rows.transpose()));
      return { inverse, rows: inverse.mmul(rows) };
    });
    /** Columns of covariances, one per unit; the last class gets 0. */
    const perUnit = (column: (unit: number) => Matrix): Matrix => {
      const all = Matrix.zeros(classes, units.length);
      for (const unit of units.keys()) all.setSubMatrix(column(unit), 0, unit);
      return all;
    };
    const known = (covariances: Matrix, unit: number) =>
      Matrix.columnVector(covariances.getColumn(unit).slice(0, classes - 1));
    const split = (c: Vector) => {
      const few = w2.rows;
      const many = few * w2.columns;
      const part = (from: number, columns: number) =>
        Matrix.from1DArray(few, columns, [...c.subarray(from, from + few * columns)]);
      return [part(0, w2.columns), part(many, 1), part(many + few, w2.columns)] as const;
    };
    return {
      scaled: (c: Vector): Vector => {
        const [w, b, covariances] = split(c);
        return join(
          w,
          b,
          perUnit((unit) => at(units, unit).inverse.mmul(known(covariances, unit))),
        );
      },
      derivative: (v: Vector): Vector => {
        const { w1, b1, w2, b2 } = this.layers(v);
        return join(
          centered(w2),
          centered(b2),
          perUnit((unit) =>
            at(units, unit).rows.mmul(Matrix.columnVector([...w1.getRow(unit), b1.get(unit, 0)])),
          ),
        );
      },
      transposed: (c: Vector): Vector => {
        const [w, b, covariances] = split(c);
        const back = units.map(({ rows }, unit) =>
          known(covariances, unit).transpose().mmul(rows).getRow(0),
        );
        const inputs = this.#images.rows;
        return this.#flat({
          w1: new Matrix(back.map((row) => row.slice(0, inputs))),
          b1: Matrix.columnVector(back.map((row) => row[inputs] ?? NaN)),
          w2: centered(w),
          b2: centered(b),
        });
      },
    };
  }
}

function at<T>(values: readonly T[], i: number): T {
  const value = values[i];
  if (value === undefined) throw new Error(`nothing at ${i}`);
  return value;
}

/** L⁻¹ where A = LLᵀ. */
function inverseFactor(a: Matrix): Matrix {
  const n = a.rows;
  const inverse = Matrix.zeros(n, n);
  const factor = Matrix.zeros(n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a.get(i, j);
      for (let k = 0; k < j; k++) sum -= factor.get(i, k) * factor.get(j, k);
      factor.set(i, j, i === j ? Math.sqrt(sum) : sum / factor.get(j, j));
    }
    for (let j = 0; j <= i; j++) {
      let sum = i === j ? 1 : 0;
      for (let k = j; k < i; k++) sum -= factor.get(i, k) * inverse.get(k, j);
      inverse.set(i, j, sum / factor.get(i, i));
    }
  }
  return inverse;
}

const dot = (a: Vector, b: Vector) => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

/**
 * Newton's method for c(x⁺(x)) = 0, with J = c′(x⁺)M: each step is the shortest δ with Jδ = −c, found
 * by conjugate gradients on JJᵀ, and halved until ‖c‖ falls.
 */
export async function refineToConstantAnswer({
  problem,
  f,
  x: start,
  rho,
  maxProducts = 8000,
  onStep,
}: {
  readonly problem: Problem;
  readonly f: Derivatives;
  readonly x: Vector;
  readonly rho: number;
  /** Hessian-vector products to spend at most. */
  readonly maxProducts?: number;
  readonly onStep?: (step: ConstantStep) => void;
}): Promise<ConstantSearch> {
  const answers = new ConstantAnswers(problem);
  const first = f.cost.products;
  const steps: ConstantStep[] = [];
  let point = await samPoint(f, start, rho);
  for (;;) {
    const value = answers.value(point.ascentPoint);
    const residual = norm(value);
    const { loss, shiftedLoss, gradNorm, shiftedGradNorm } = point;
    const products = f.cost.products - first;
    const moved = norm(along(point.x, -1, start));
    const step = { products, loss, shiftedLoss, gradNorm, shiftedGradNorm, residual, moved };
    steps.push(step);
    onStep?.(step);
    const converged = residual <= 1e-12;
    if (converged || products >= maxProducts) return { point, steps, converged };
    const { perturbation, perturbationTransposed } = point;
    const conditions = answers.linearized(point.ascentPoint);
    const wanted = conditions.scaled(value);
    const move = await shortest({
      operator: async (v) => conditions.derivative(await perturbation(v)),
      transposed: (c) => perturbationTransposed(conditions.transposed(c)),
      right: scaled(-1, wanted),
      length: start.length,
      // Where the linear model does not hold yet, nothing is gained by solving it well.
      tolerance: norm(wanted) > 0.02 ? 0.1 : 1e-3,
    });
    let next: SamPoint | undefined;
    let t = Math.min(1, (0.1 * rho) / norm(move));
    for (let halving = 0; halving < 10 && next === undefined; halving++, t /= 2) {
      const tried = await samPoint(f, along(point.x, t, move), rho);
      const reached = conditions.scaled(answers.value(tried.ascentPoint));
      if (norm(reached) < (1 - 0.01 * t) * norm(wanted)) next = tried;
    }
    if (next === undefined) return { point, steps, converged };
    point = next;
  }
}

/** The shortest x with A x = right, to such a fraction, by conjugate gradients on A Aᵀ   (Craig 1955). */
async function shortest({
  operator,
  transposed,
  right,
  length,
  tolerance,
}: {
  readonly operator: (v: Vector) => Promise<Vector>;
  readonly transposed: (c: Vector) => Promise<Vector>;
  readonly right: Vector;
  readonly length: number;
  readonly tolerance: number;
}): Promise<Vector> {
  let x: Vector = new Float64Array(length);
  let rest = right;
  let direction = right;
  let size = dot(rest, rest);
  const enough = tolerance ** 2 * size;
  for (let i = 0; i < 300 && size > enough; i++) {
    const image = await transposed(direction);
    const step = size / dot(image, image);
    x = along(x, step, image);
    rest = along(rest, -step, await operator(image));
    const next = dot(rest, rest);
    direction = along(rest, next / size, direction);
    size = next;
  }
  return x;
}
