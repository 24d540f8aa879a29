/** Activation functions whose values, gradients and Hessians are right to the last digits of their dtype. */
import { lax, np } from "../../engine/jax-js.ts";
import { multiply, scalar } from "../../engine/arrays.ts";
import { kinkAt } from "../layers/kinks.ts";

/** Traced, elementwise; consumes its argument, as jax-js functions do. */
export type ActivationFunction = (x: np.Array) => np.Array;

/**
 * max(x, 0). The derivative at 0 is 0, as in PyTorch and JAX; jax-js's own `relu` says 1 there.
 * A NaN stays a NaN.
 */
function relu(x: np.Array): np.Array {
  kinkAt(x);
  return np.where(np.lessEqual(x.ref, 0), 0, x);
}

/** x where x > 0, else x/100, as PyTorch's `nn.LeakyReLU` (Maas, Hannun & Ng 2013). The derivative at 0 is 0.01. */
function leakyRelu(x: np.Array): np.Array {
  kinkAt(x);
  return np.where(np.lessEqual(x.ref, 0), multiply(x, scalar(0.01, x)), x);
}

/**
 * x·σ(x) = h + h·tanh h with h = x/2. The form with `exp(−x)` has NaN gradients once that
 * overflows, at x < −88 in float32.
 */
function silu(x: np.Array): np.Array {
  const h = np.multiply(x, 0.5);
  return np.add(h.ref, multiply(h, np.tanh(h.ref)));
}

/** x·Φ(x), Φ the standard normal distribution function: the exact form (Hendrycks & Gimpel 2016). */
function gelu(x: np.Array): np.Array {
  return multiply(x, x.dtype === np.float64 ? normalCdf64(x.ref) : normalCdf32(x.ref));
}

const normalCdf32 = (x: np.Array) =>
  np.multiply(np.add(lax.erf(np.multiply(x, Math.SQRT1_2)), 1), 0.5);

/**
 * Φ(x) = ½ + x/√(2π) · ∫₀¹ exp(−x²t²/2) dt by Gauss–Legendre quadrature: values and the first two
 * derivatives are right to 1e-15. jax-js's `erf` is good to 1e-7 only, and ONNX Runtime has none in
 * float64. Beyond ±8.25, where Φ is 0 or 1 to double precision, it is held.
 */
function normalCdf64(x: np.Array): np.Array {
  const held = np.clip(x, -8.25, 8.25);
  const integral = gaussIntegral(held, -0.5, 1 / Math.sqrt(2 * Math.PI));
  return np.add(np.multiply(held, integral), scalar(0.5, held));
}

/**
 * erf x = 2x/√π · ∫₀¹ exp(−x²t²) dt, in float64 by the same rule; beyond ±5.9 it is held, where it is
 * ±1 to double precision.
 */
export function erf(x: np.Array): np.Array {
  if (x.dtype !== np.float64) return lax.erf(x);
  const held = np.clip(x, -5.9, 5.9);
  return multiply(held, gaussIntegral(held, -1, 2 / Math.sqrt(Math.PI)));
}

/** scale · ∫₀¹ exp(rate·x²t²) dt for float64 x; borrows. */
function gaussIntegral(x: np.Array, rate: number, scale: number): np.Array {
  const row = (values: number[]) => np.array(values, { dtype: np.float64 });
  const exponents = row(quadrature.nodes.map((t) => rate * t * t));
  const weights = row(quadrature.weights.map((w) => w * scale));
  const squares = np.square(x.ref).reshape([...x.shape, 1]);
  return np.dot(np.exp(np.multiply(squares, exponents)), weights);
}

/**
 * The positive half of the 2m-point Gauss–Legendre rule: Σ wᵢ f(tᵢ) = ∫₀¹ f for even polynomials f
 * of degree below 4m.
 */
function gaussLegendreHalf(m: number): { nodes: number[]; weights: number[] } {
  const n = 2 * m;
  const nodes: number[] = [];
  const weights: number[] = [];
  for (let i = 1; i <= m; i++) {
    // Newton's method on the Legendre polynomial Pₙ from the usual first guess.
    let t = Math.cos((Math.PI * (i - 0.25)) / (n + 0.5));
    let slope = 0;
    for (let iteration = 0; iteration < 8; iteration++) {
      let [before, value] = [1, t];
      for (let k = 2; k <= n; k++) {
        [before, value] = [value, ((2 * k - 1) * t * value - (k - 1) * before) / k];
      }
      slope = (n * (t * value - before)) / (t * t - 1);
      t -= value / slope;
    }
    nodes.push(t);
    weights.push(2 / ((1 - t * t) * slope * slope));
  }
  return { nodes, weights };
}

const quadrature = gaussLegendreHalf(22);

/** Activation functions by name, with derivatives that are right where jax-js's are not. */
export const activations = {
  tanh: (x) => np.tanh(x),
  relu,
  "leaky-relu": leakyRelu,
  gelu,
  silu,
  sin: (x) => np.sin(x),
} as const satisfies Record<string, ActivationFunction>;

/** A key of {@link activations}. */
export type ActivationName = keyof typeof activations;
