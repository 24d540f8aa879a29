/** The table of docs/output-bias.md: the theorem at random parameters. */
import { readFileSync } from "node:fs";
import type { TheoremRow } from "lucid-sam/diagnostics";
import { digits, markdown, results } from "./table.ts";

/** Every table of the page. */
export async function outputBiasTables(): Promise<{ [name: string]: string }> {
  const rows = JSON.parse(readFileSync(results("output-bias.json"), "utf8")) as TheoremRow[];
  return {
    check: markdown(
      [
        "loss and last layer",
        "random parameters",
        "least of the largest ∂²f/∂b_k²",
        "largest error of the formula",
        "least curvature along a last weight",
        "that at silent units",
        "holds",
      ],
      rows.map(({ plane, numbers, passed }) => [
        plane,
        digits(numbers["points"]),
        digits(numbers["leastCurvature"]),
        digits(numbers["largestErrorOfFormula"], 1),
        digits(numbers["leastCurvatureOfWeights"]),
        digits(numbers["curvatureAtSilentUnits"]),
        passed ? "yes" : "no",
      ]),
    ),
  };
}
