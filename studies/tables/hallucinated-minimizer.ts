/** The tables of docs/hallucinated-minimizer.md. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { HallucinatedMinimizer, OtherStart } from "../hallucinated-minimizer-rows.ts";
import { digits, markdown, median, results, share } from "./table.ts";

/** What studies/hallucinated-minimizer.ts has stored. */
export const readHallucinatedMinimizer = (): HallucinatedMinimizer =>
  JSON.parse(
    gunzipSync(readFileSync(results("hallucinated-minimizer.json.gz"))).toString(),
  ) as HallucinatedMinimizer;

const isFalse = ({ verdict }: OtherStart) => verdict?.startsWith("hallucinated") ?? false;

/** Every table of the page. */
export async function hallucinatedMinimizerTables(): Promise<{ [name: string]: string }> {
  const stored = readHallucinatedMinimizer();
  const {
    rho,
    startNorm,
    history,
    refined,
    point,
    certificate: c,
    shiftedHessian,
    others,
  } = stored;
  const spectrum = c.details.spectrum.map(({ re }) => digits(re, 6));
  const end = Math.hypot(...point);
  const ends = Map.groupBy(others, ({ verdict, attracting }) =>
    verdict === null ? "no zero of g⁺ there" : `${verdict}, attracting: ${attracting}`,
  );
  return {
    run: markdown(
      ["step", "f(x)", "f(x⁺)", "‖g‖", "‖g⁺‖"],
      [1000, 10_000, 20_000, 45_000, 100_000, 220_000, 319_000].flatMap((step) => {
        const row = history.find((row) => row.step === step);
        return row
          ? [
              [
                step,
                row.loss.toFixed(12),
                row.shiftedLoss.toFixed(12),
                row.gradNorm.toFixed(12),
                digits(row.shiftedGradNorm, 5),
              ],
            ]
          : [];
      }),
    ),
    numbers: markdown(
      ["number", "value"],
      [
        ["parameters", point.length],
        ["ρ/‖x₀‖ at the start", digits(rho / startNorm, 3)],
        ["ρ/‖x‖ there", digits(rho / end, 3)],
        [
          "w",
          point
            .slice(0, 2)
            .map((v) => v.toFixed(11))
            .join(", "),
        ],
        [
          "b",
          point
            .slice(2, 4)
            .map((v) => v.toFixed(11))
            .join(", "),
        ],
        [
          "a",
          point
            .slice(4, 6)
            .map((v) => v.toFixed(11))
            .join(", "),
        ],
        ["c", (point[6] ?? NaN).toFixed(11)],
        ["f(x)", c.loss.toFixed(12)],
        ["f(x⁺)", c.shiftedLoss.toFixed(12)],
        ["‖g‖", c.gradNorm.toFixed(12)],
        [
          "‖g⁺‖, and what rounding alone makes of it",
          `${digits(c.shiftedGradNorm)}, ${digits(c.zero?.roundingLevel)}`,
        ],
        ["spectrum of H⁺", shiftedHessian.map((value) => digits(value, 6)).join(", ")],
        ["spectrum of H⁺M, all of it real", spectrum.join(", ")],
        ["smallest eigenvalue of sym(M)", digits(c.perturbationJacobian.minSymmetric, 6)],
        ["largest η at which steps contract", digits(c.maxStableLearningRate, 4)],
        ["verdict", `${c.verdict.name}, attracting: ${c.attracting.answer}`],
      ],
    ),
    refining: markdown(
      ["from the run at step", "‖g⁺‖ there", "‖g⁺‖ reached", "distance", "products"],
      refined.map(({ step, log }) => [
        step,
        digits(log[0]?.shiftedGradNorm),
        digits(log.at(-1)?.shiftedGradNorm),
        digits(log.at(-1)?.moved),
        log.at(-1)?.products ?? 0,
      ]),
    ),
    others: markdown(
      ["where 20,000 steps of SAM lead", "starts", "f: median (range)"],
      [...ends]
        .toSorted(([, a], [, b]) => b.length - a.length)
        .map(([name, some]) => {
          const losses = some.map(({ sam }) => sam);
          return [
            name,
            share(some.length, others.length),
            `${digits(median(losses))} (${digits(Math.min(...losses))} to ${digits(Math.max(...losses))})`,
          ];
        }),
    ),
    family: markdown(
      ["of the 40 starts", ""],
      [
        ["plain descent: median loss (range)", lossesOf(others.map(({ descent }) => descent))],
        ["SAM: median loss (range)", lossesOf(others.map(({ sam }) => sam))],
        [
          "GradRatio of 0.05 or less after 20,000 steps of SAM",
          share(others.filter(({ refined }) => refined).length, others.length),
        ],
        [
          "of those, refined to ‖g⁺‖ ≤ 1e-12",
          share(
            others.filter(({ refined }) => refined && refined.shiftedGradNorm <= 1e-12).length,
            others.filter(({ refined }) => refined).length,
          ),
        ],
        [
          "farthest that refining moved",
          digits(Math.max(...others.map(({ refined }) => refined?.moved ?? 0))),
        ],
        ["hallucinated, of all", share(others.filter(isFalse).length, others.length)],
      ],
    ),
  };
}

const lossesOf = (losses: readonly number[]) =>
  `${digits(median(losses), 3)} (${digits(Math.min(...losses), 3)} to ${digits(Math.max(...losses), 3)})`;
