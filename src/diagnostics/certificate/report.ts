/** A certificate in plain words, for people who have not read the paper. */
import type { Certificate } from "./certificate.ts";
import { short } from "./judgment.ts";

/** A certificate as text: the verdict, what it means, and every number with its meaning. */
export function describeCertificate(certificate: Certificate): string {
  const { verdict, attracting, details, tolerances } = certificate;
  const sections = [
    [verdict.name, verdict.sentence],
    [`attracting: ${attracting.answer}`, attracting.sentence],
    ["how to read this", explanation],
  ];
  return [
    ...sections.flatMap(([title = "", text = ""]) => [
      title,
      ...wrap(text).map((line) => `  ${line}`),
      "",
    ]),
    ...table(certificateNumbers(certificate)),
    "",
    ...runTable(certificate),
    ...wrap(
      `Tolerances: ${Object.entries(tolerances)
        .map(([name, value]) => `${name} ${short(value)}`)
        .join(", ")}.`,
    ),
    `${details.dimension} parameters, ${certificate.products} Hessian-vector products in ${short(certificate.seconds)} s, ${certificate.dtype} on ${certificate.engine}`,
    ...(certificate.mode ? [`${normalizations[certificate.mode]}.`] : []),
    "",
  ].join("\n");
}

/** What normalizes in each mode, for problems that keep running statistics. */
export const normalizations = {
  evaluate: "Normalized by the model's running statistics, as in evaluation",
  train: "Normalized by the statistics of all training samples, as in training",
} as const;

const explanation =
  "SAM does not follow the gradient g at x, where the weights are, but the gradient g⁺ at the ascent point x⁺, a distance rho uphill. It stands still where g⁺ = 0. Where g is not 0 as well, that is no solution of the training problem: SAM only sees one. H and H⁺ are the curvatures at the two points, M tells how x⁺ moves with x, and SAM near such a point acts like the matrix H⁺M: eigenvalues with positive real part draw SAM in, negative ones push it away.";

/** Every number of a certificate, as text, with its meaning. */
export function certificateNumbers(
  certificate: Certificate,
): [name: string, value: string, meaning: string][] {
  const { hessian, shiftedHessian, samJacobian, perturbationJacobian, details } = certificate;
  const { converged, perturbationResiduals: residuals, kernels } = details;
  const range = (min: number | null, max: number | null) => `${number(min)} … ${number(max)}`;
  const note = (residual: number | null, done: boolean) =>
    residual === null
      ? ""
      : details.dense
        ? "whole spectrum"
        : `${done ? "" : "not converged, "}residual ${short(residual)}`;
  return [
    ["f(x)", number(certificate.loss), "loss where the weights are"],
    ["f(x⁺)", number(certificate.shiftedLoss), "loss at the ascent point"],
    ["‖g‖", number(certificate.gradNorm), "true gradient"],
    ["‖g⁺‖", number(certificate.shiftedGradNorm), "the gradient SAM follows"],
    ["‖g⁺‖/‖g‖", number(certificate.gradRatio), "GradRatio: near 0 where SAM hallucinates"],
    ["‖x⁺ − x‖", number(details.distance), `must be rho = ${number(details.rho)}`],
    ["spectrum of H", range(hessian.min, hessian.max), note(hessian.residual, converged.hessian)],
    [
      "spectrum of H⁺",
      range(shiftedHessian.min, shiftedHessian.max),
      note(shiftedHessian.residual, converged.shiftedHessian),
    ],
    [
      "Re spectrum of H⁺M",
      range(samJacobian.minReal, samJacobian.maxReal),
      note(samJacobian.residual, converged.samJacobian),
    ],
    [
      "min (M + Mᵀ)/2",
      number(perturbationJacobian.minSymmetric),
      `above 0: attraction is proved. ${note(residuals.minSymmetric, converged.symmetricPart)}`,
    ],
    [
      "min |M|",
      number(perturbationJacobian.minSingular),
      details.dense
        ? "smallest singular value"
        : `smallest singular value is at most this. ${note(residuals.minSingular, converged.singularValue)}`,
    ],
    [
      "max stable rate",
      number(certificate.maxStableLearningRate),
      "learning rate below which SAM contracts where it is drawn in",
    ],
    ...(kernels
      ? ([
          [
            "kernels",
            `H⁺ ${kernels.shiftedHessian}, M ${kernels.perturbation}, H⁺M ${kernels.samJacobian}`,
            `hallucinated points form a set of dimension ${kernels.surrogateHessian} here`,
          ],
        ] as [string, string, string][])
      : []),
  ];
}

function runTable({ details: { runs } }: Certificate): string[] {
  if (runs.length === 0) return [];
  return [
    `SAM from ${runs.length} perturbed copies, ${runs[0]?.steps} steps:`,
    ...table(
      runs.map(({ start, outcome, initialDistance, finalDistance }) => [
        start,
        outcome,
        `distance ${short(initialDistance)} became ${short(finalDistance)}`,
      ]),
    ),
    "",
  ];
}

const number = (value: number | null) =>
  value === null ? "not defined" : String(Number(value.toPrecision(5)));

/** Columns padded to their widest entry. */
function table(rows: readonly (readonly [string, string, string])[]): string[] {
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length));
  const [first, second] = [width(0), width(1)];
  const pad = (text: string, to: number) => text + " ".repeat(Math.max(0, to - text.length));
  return rows.map(([a, b, c]) => `  ${pad(a, first)}  ${pad(b, second)}  ${c}`.trimEnd());
}

/** Lines of at most 88 characters. */
function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= 88)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
