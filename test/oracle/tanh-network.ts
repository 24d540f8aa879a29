/**
 * A two-layer tanh network with mean cross-entropy in plain loops, its gradient by hand, and its
 * Hessian by differences of that gradient. Shares no code with what it judges.
 */

export interface PlainNetwork {
  readonly inputs: readonly (readonly number[])[];
  readonly labels: readonly number[];
  readonly hidden: number;
  readonly classes: number;
}

/** Parameters in the order layers/0/bias, layers/0/weight, layers/1/bias, layers/1/weight. */
export function parameterCount({ inputs, hidden, classes }: PlainNetwork): number {
  return hidden + hidden * (inputs[0]?.length ?? 0) + classes + classes * hidden;
}

/** Loss and gradient. */
export function plainGradient(
  network: PlainNetwork,
  x: readonly number[],
): { loss: number; gradient: number[] } {
  const { inputs, labels, hidden, classes } = network;
  const features = inputs[0]?.length ?? 0;
  const at = (i: number) => x[i] ?? NaN;
  const [w0, b1, w1] = [hidden, hidden + hidden * features, hidden + hidden * features + classes];
  const gradient = x.map(() => 0);
  const add = (i: number, value: number) => {
    gradient[i] = (gradient[i] ?? NaN) + value / inputs.length;
  };
  let loss = 0;
  inputs.forEach((input, n) => {
    const h: number[] = [];
    for (let j = 0; j < hidden; j++) {
      let sum = at(j);
      for (let i = 0; i < features; i++) sum += at(w0 + j * features + i) * (input[i] ?? NaN);
      h.push(Math.tanh(sum));
    }
    const logits: number[] = [];
    for (let k = 0; k < classes; k++) {
      let sum = at(b1 + k);
      for (let j = 0; j < hidden; j++) sum += at(w1 + k * hidden + j) * (h[j] ?? NaN);
      logits.push(sum);
    }
    const largest = Math.max(...logits);
    const total = logits.reduce((s, z) => s + Math.exp(z - largest), 0);
    const label = labels[n] ?? NaN;
    loss += (Math.log(total) + largest - (logits[label] ?? NaN)) / inputs.length;
    const error = logits.map((z, k) => Math.exp(z - largest) / total - (k === label ? 1 : 0));
    for (let k = 0; k < classes; k++) {
      add(b1 + k, error[k] ?? NaN);
      for (let j = 0; j < hidden; j++) add(w1 + k * hidden + j, (error[k] ?? NaN) * (h[j] ?? NaN));
    }
    for (let j = 0; j < hidden; j++) {
      let back = 0;
      for (let k = 0; k < classes; k++) back += (error[k] ?? NaN) * at(w1 + k * hidden + j);
      back *= 1 - (h[j] ?? NaN) ** 2;
      add(j, back);
      for (let i = 0; i < features; i++) add(w0 + j * features + i, back * (input[i] ?? NaN));
    }
  });
  return { loss, gradient };
}

/** Derivative of a vector-valued function along axis i: central differences, twice extrapolated. */
export function derivative(
  f: (x: readonly number[]) => number[],
  x: readonly number[],
  i: number,
  h = 4e-3,
): number[] {
  const central = (step: number) => {
    const above = f(x.with(i, (x[i] ?? NaN) + step));
    const below = f(x.with(i, (x[i] ?? NaN) - step));
    return above.map((a, k) => (a - (below[k] ?? NaN)) / (2 * step));
  };
  const [d1, d2, d4] = [central(h), central(h / 2), central(h / 4)];
  const once = (coarse: number[], fine: number[]) =>
    fine.map((value, k) => value + (value - (coarse[k] ?? NaN)) / 3);
  const [e1, e2] = [once(d1, d2), once(d2, d4)];
  return e2.map((value, k) => value + (value - (e1[k] ?? NaN)) / 15);
}

/** Jacobian as rows: entry [k][i] is ∂f_k/∂x_i. */
export function jacobian(f: (x: readonly number[]) => number[], x: readonly number[]): number[][] {
  const columns = x.map((_, i) => derivative(f, x, i));
  return (columns[0] ?? []).map((_, k) => columns.map((column) => column[k] ?? NaN));
}

/** SAM's ascent point x + ρ g/‖g‖. */
export function ascentPoint(network: PlainNetwork, x: readonly number[], rho: number): number[] {
  const { gradient } = plainGradient(network, x);
  const length = Math.hypot(...gradient);
  return x.map((value, i) => value + (rho * (gradient[i] ?? NaN)) / length);
}

/** A small set of samples of a fixed pattern. */
export function plainNetwork(samples = 9, features = 3, hidden = 4, classes = 3): PlainNetwork {
  const inputs = Array.from({ length: samples }, (_, n) =>
    Array.from({ length: features }, (_, i) => 1.4 * Math.sin(2.1 * (n * features + i) + 0.5)),
  );
  return { inputs, labels: inputs.map((_, n) => (2 * n + 1) % classes), hidden, classes };
}
