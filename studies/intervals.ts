/** Intervals at 95 %: Clopper and Pearson's for proportions, Student's for means. */

/** Bounds of the proportion behind `k` successes in `n` independent trials (Clopper & Pearson 1934). */
export function clopperPearson(k: number, n: number): readonly [number, number] {
  const low = k === 0 ? 0 : bisect((p) => 1 - atMost(k - 1, n, p) - 0.025);
  const high = k === n ? 1 : bisect((p) => 0.025 - atMost(k, n, p));
  return [low, high];
}

/** P(X ≤ k) for X binomial. */
function atMost(k: number, n: number, p: number): number {
  let [sum, term] = [0, (1 - p) ** n];
  for (let i = 0; i <= k; i++) {
    sum += term;
    term *= ((n - i) / (i + 1)) * (p / (1 - p));
  }
  return sum;
}

/** Where a function that rises from negative to positive on (0, 1) is zero. */
function bisect(f: (p: number) => number): number {
  let [low, high] = [0, 1];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (f(middle) < 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** A mean with the bounds of its interval. */
export interface Mean {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

/** Mean of independent values with Student's interval   (Student 1908); without bounds for one value. */
export function studentMean(values: readonly number[]): Mean {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = n > 1 ? studentQuantile(n - 1) * Math.sqrt(squares / (n - 1) / n) : NaN;
  return { mean, low: mean - half, high: mean + half, n };
}

/** The t with P(|T| ≤ t) = 0.95 for so many degrees of freedom. */
export function studentQuantile(freedom: number): number {
  // On (0, 1) by t = p/(1 − p).
  const p = bisect((p) => within(p / (1 - p), freedom) - 0.95);
  return p / (1 - p);
}

/** P(|T| ≤ t), a finite sum for whole degrees of freedom   (Abramowitz & Stegun 26.7.3, 26.7.4). */
function within(t: number, freedom: number): number {
  const angle = Math.atan(t / Math.sqrt(freedom));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const odd = freedom % 2 === 1;
  let [sum, term] = [0, odd ? cosine : 1];
  for (let k = odd ? 3 : 2; k <= freedom; k += 2) {
    sum += term;
    term *= ((k - 1) / k) * cosine * cosine;
  }
  return odd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
}
