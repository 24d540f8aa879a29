/** A certificate in plain words, for people who have not read the paper. */
import { rounded } from "../../engine/digits.ts";
import type { Certificate } from "./certificate.ts";
import { isHallucinated } from "../verdict.ts";
import { brief, isProvedAttracting } from "./judgment.ts";
import { describeSmoothness, needsCurvature } from "./smoothness.ts";

/** A certificate as text: what was certified, the verdict, what it means, and every number. */
export function describeCertificate(certificate: Certificate): string {
  const { verdict, attracting, details, tolerances } = certificate;
  const hallucinated = isHallucinated(verdict.name);
  const sections = [
    [verdict.name, verdict.sentence],
    ...(hallucinated ? [[`attracting: ${attracting.answer}`, attracting.sentence]] : []),
    ["how to read this", explanation],
  ];
  return [
    ...subjectLines(certificate).flatMap(wrap),
    "",
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
        .map(([name, value]) => `${name} ${brief(value)}`)
        .join(", ")}.`,
    ),
    `${details.dimension} parameters, ${certificate.products} Hessian-vector products in ${brief(certificate.seconds)} s, ${certificate.dtype} on ${certificate.engine}`,
    ...(certificate.mode ? [`${normalizations[certificate.mode]}.`] : []),
    ...(certificate.smoothness && !needsCurvature(verdict.name) && verdict.name !== "inconclusive"
      ? wrap(describeSmoothness(certificate.smoothness))
      : []),
    ...memoryLines(certificate).flatMap(wrap),
    ...subsetLines(certificate),
    "",
  ].join("\n");
}

/** What was certified, in sentences; none for certificates of earlier versions. */
export function subjectLines({ subject, zero }: Certificate): string[] {
  if (subject === undefined) return [];
  const { problem, description, parameters, samples, loss, score, rho, method } = subject;
  const { relativeRho, relativeRhoAtStart } = subject;
  const { momentum, nesterov, weightDecay } = method;
  const scores = score
    ? `, score ${number(score.train)} on them${score.test === undefined ? "" : ` and ${number(score.test)} on the test set`}`
    : "";
  const ball = momentum > 0 ? `, ${nesterov ? "Nesterov " : ""}momentum ${number(momentum)}` : "";
  const decay = weightDecay > 0 ? `, weight decay ${number(weightDecay)}` : "";
  const radius =
    rho > 0
      ? [
          `, ρ = ${number(rho)}`,
          ...(relativeRho === null ? [] : [`${number(relativeRho)} times ‖x‖`]),
          ...(relativeRhoAtStart === undefined
            ? []
            : [`${number(relativeRhoAtStart)} times ‖x₀‖ at the start of the run`]),
        ].join(", ")
      : "";
  return [
    `Certified: ${problem}${description === undefined || description === problem ? "" : ` (${description})`}, ${parameters} parameters, loss ${number(loss)} on ${samples} ${samples === 1 ? "sample" : "samples"}${scores}; as left by ${method.name} on the full batch${radius}${decay}${ball}.`,
    ...(zero?.exact && zero.moved > 0
      ? [
          `The certificate is of the zero at the distance ${number(zero.moved)} from the point that was given.`,
        ]
      : []),
    "If your own loss or accuracy differs, this is not your network.",
  ];
}

/** How much memory passes in blocks took. */
function memoryLines({ memory }: Certificate): string[] {
  if (memory === undefined) return [];
  const { block, blockBytes, vectors, vectorBytes } = memory;
  const megabytes = (bytes: number) => `${brief(bytes / 1e6)} MB`;
  return [
    `Samples were taken ${block} at a time: about ${megabytes(blockBytes)} for a pass, and at most ${megabytes(vectorBytes)} for ${vectors} vectors of all parameters.`,
  ];
}

/** Numbers with their error bars, where a subset was certified. */
function subsetLines({ subset }: Certificate): string[] {
  if (subset === undefined) return [];
  const { samples, of, subsets, numbers } = subset;
  return [
    ...wrap(
      `Certified on ${samples} of ${of} samples. At the point that was given, over ${subsets} subsets of that size:`,
    ),
    ...table(
      Object.entries(numbers).map(([name, { mean, deviation }]) => [
        name,
        `${number(mean)} ± ${brief(deviation)}`,
        "mean and standard deviation",
      ]),
    ),
  ];
}

/** What normalizes in each mode, for problems that keep running statistics. */
export const normalizations = {
  evaluate: "Normalized by the model's running statistics, as in evaluation",
  train: "Normalized by the statistics of all training samples, as in training",
} as const;

const explanation =
  "SAM does not follow the gradient g at x, where the weights are, but the gradient g⁺ at the ascent point x⁺, a distance rho uphill; another method follows a direction v of its own. It stands still where that vanishes. Where the gradient of the loss is not 0 as well, that is no solution of the training problem: the method only sees one. H and H⁺ are the curvatures at the two points, M tells how x⁺ moves with x, and Dv how v moves with x, for SAM H⁺M: where v = 0, eigenvalues of Dv with positive real part draw the method in, negative ones push it away.";

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
      : residual === 0
        ? "whole spectrum"
        : `${done ? "" : "not converged, "}residual ${brief(residual)}`;
  const { direction, zero, drift, maxStableLearningRate } = certificate;
  const isSam = direction?.samLike ?? true;
  const decays = (certificate.subject?.method.weightDecay ?? 0) > 0;
  const hasAscent = details.rho > 0;
  const matrix = isSam && !decays ? "H⁺M" : "Dv";
  const rests = zero === undefined || zero?.exact === true;
  const rows: (readonly [string, string, string] | undefined)[] = [
    ["f(x)", number(certificate.loss), "loss where the weights are"],
    hasAscent
      ? ["f(x⁺)", number(certificate.shiftedLoss), shiftedLossNote(certificate)]
      : undefined,
    ["‖g‖", number(certificate.gradNorm), "gradient of the loss"],
    ...(hasAscent
      ? ([
          ["‖g⁺‖", number(certificate.shiftedGradNorm), "gradient at the ascent point"],
          ["‖g⁺‖/‖g‖", number(certificate.gradRatio), "GradRatio"],
        ] as const)
      : []),
    direction
      ? ["‖v‖", number(direction.norm), "direction the method follows, weight decay included"]
      : undefined,
    direction
      ? ["‖v‖/‖G‖", number(direction.ratio), "beside what plain descent would follow"]
      : undefined,
    hasAscent
      ? [
          "‖x⁺ − x‖",
          number(details.distance),
          isSam ? `must be rho = ${number(details.rho)}` : "of an ascent with SAM's rho",
        ]
      : undefined,
    zero
      ? [
          "zero of v",
          zero.exact ? "found" : "none found",
          `${zero.exact ? "moved" : "searched, ended"} ${number(zero.moved)} away, ‖v‖ = ${number(zero.residual)}, rounding is ${number(zero.roundingLevel)}`,
        ]
      : undefined,
    zero?.kantorovich
      ? [
          "Newton–Kantorovich",
          `h = ${number(zero.kantorovich.h)}`,
          `β = ${number(zero.kantorovich.beta)}, η = ${number(zero.kantorovich.eta)}, L = ${number(zero.kantorovich.lipschitz)} sampled, no bound${zero.kantorovich.radius === null ? "" : `: a zero within ${number(zero.kantorovich.radius)}`}`,
        ]
      : undefined,
    drift
      ? [
          "drift",
          number(drift.moved),
          `in ${drift.steps} steps, learning rate ${number(drift.learningRate)}; loss ${number(drift.lossBefore)} to ${number(drift.lossAfter)}`,
        ]
      : undefined,
    ["spectrum of H", range(hessian.min, hessian.max), note(hessian.residual, converged.hessian)],
    hasAscent
      ? [
          "spectrum of H⁺",
          range(shiftedHessian.min, shiftedHessian.max),
          note(shiftedHessian.residual, converged.shiftedHessian),
        ]
      : undefined,
    samJacobian.minReal === null
      ? undefined
      : [
          `Re spectrum of ${matrix}`,
          range(samJacobian.minReal, samJacobian.maxReal),
          `${note(samJacobian.residual, converged.samJacobian)}${rests ? "" : ", no statement about stability: nothing rests here"}`,
        ],
    perturbationJacobian.minSymmetric === null
      ? undefined
      : [
          "min (M + Mᵀ)/2",
          number(perturbationJacobian.minSymmetric),
          [
            isProvedBy(certificate)
              ? "above 0 with H⁺ ≻ 0: attraction at small rates is proved"
              : "",
            note(residuals.minSymmetric, converged.symmetricPart),
          ]
            .filter((text) => text !== "")
            .join(". "),
        ],
    perturbationJacobian.minSingular === null
      ? undefined
      : [
          "min |M|",
          number(perturbationJacobian.minSingular),
          details.kernels
            ? "smallest singular value"
            : `smallest singular value is at most this. ${note(residuals.minSingular, converged.singularValue)}`,
        ],
    maxStableLearningRate === null || !rests
      ? undefined
      : [
          "max stable rate",
          number(maxStableLearningRate),
          details.dense
            ? "learning rate below which steps contract where they are drawn in"
            : "an upper bound: only the ends of the spectrum were searched",
        ],
    kernels
      ? [
          "kernels",
          `H⁺ ${kernels.shiftedHessian}, M ${kernels.perturbation}, Dv ${kernels.samJacobian}`,
          rests
            ? `hallucinated points form a set of dimension ${kernels.surrogateHessian} here`
            : `dimension ${kernels.surrogateHessian} of the kernel of MᵀH⁺M`,
        ]
      : undefined,
  ];
  return rows.flatMap((row) => (row ? [[row[0], row[1], row[2]]] : []));
}

/** f(x⁺) and which of the two losses is lower. */
function shiftedLossNote({ loss, shiftedLoss }: Certificate): string {
  const relation =
    shiftedLoss < loss ? "lower than" : shiftedLoss > loss ? "higher than" : "equal to";
  return `loss at the ascent point, ${relation} f(x)`;
}

/** Theorem 3.2 needs a hallucinated minimizer, isolated since H⁺ ≻ 0, and sym(M) ≻ 0. */
const isProvedBy = ({
  verdict,
  shiftedHessian,
  perturbationJacobian: { minSymmetric },
  details: { converged, perturbationResiduals },
  tolerances,
  smoothness,
}: Certificate): boolean =>
  // A kink nearby ends the piece that the spectra speak of.
  (smoothness === undefined || smoothness.atKink + smoothness.withinReach === 0) &&
  isProvedAttracting(
    verdict.name,
    {
      shiftedHessian: { ...shiftedHessian, converged: converged.shiftedHessian },
      minSymmetric: {
        value: minSymmetric ?? -Infinity,
        residual: perturbationResiduals.minSymmetric ?? 0,
        converged: converged.symmetricPart,
      },
    },
    { curvature: tolerances["curvature"] ?? 0 },
  );

function runTable({ subject, details }: Certificate): string[] {
  const { runs, stepsAskedFor, learningRate } = details;
  if (runs.length === 0) return [];
  return [
    `${subject?.method.name ?? "sam"} from ${runs.length} displaced copies, ${runs[0]?.steps} steps${(stepsAskedFor ?? 0) > (runs[0]?.steps ?? 0) ? ` of the ${stepsAskedFor} that the slowest rate asks for` : ""}, learning rate ${brief(learningRate ?? NaN)}:`,
    ...table(
      runs.map(({ start, outcome, initialDistance, finalDistance }) => [
        start,
        outcome,
        finalDistance === null
          ? `distance ${brief(initialDistance)}, then not finite`
          : `distance ${brief(initialDistance)} became ${brief(finalDistance)}`,
      ]),
    ),
    "",
  ];
}

const number = (value: number | null) =>
  value === null ? "not defined" : String(rounded(value, 5));

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
