/** Clopper–Pearson intervals: what a count says about a proportion, at 95 %. */

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
