/** The page of a certificate, for people who have not read the paper. */
import type { Certificate } from "../diagnostics/certificate/certificate.ts";
import {
  certificateNumbers,
  normalizations,
  subjectLines,
} from "../diagnostics/certificate/report.ts";
import type { Profile } from "../diagnostics/point/profile.ts";
import type { Refinement } from "../diagnostics/point/refine.ts";
import { isHallucinated } from "../diagnostics/verdict.ts";
import { verdictMarks } from "../figures/marks.ts";
import { slopeFigure } from "../figures/slope.ts";
import { capitalized, escape, htmlTable, page, picture, verdictTag } from "./page.ts";
import { refinementRows, short, whole } from "./words.ts";

/** A point, what it is, and the loss on the way to its ascent point. */
export interface CertifiedPoint {
  readonly certificate: Certificate;
  /** `null` where there is no ascent; left out where it is not known. */
  readonly profile?: Profile | null | undefined;
}

/** What refining led to, and what that is. */
export interface RefinedPoint extends CertifiedPoint {
  readonly refinement: Refinement;
}

/** The page of a point, and of the one that refining it led to. */
export function certificatePage(point: CertifiedPoint, refined?: RefinedPoint): string {
  const { verdict, details, dtype, engine, mode } = point.certificate;
  const words = capitalized(verdictMarks[verdict.name].words);
  return page(
    `lucid certify: ${words}`,
    `<h1>${words}</h1>
${subjectLines(point.certificate)
  .map((line) => `<p>${escape(line)}</p>`)
  .join("\n")}
${says(point)}

<h2>What SAM does</h2>
<p>Sharpness-aware minimization does not follow the gradient g at x, where the weights are. It looks
a distance ρ = ${details.rho} up the slope, at the ascent point x⁺ = x + ρ g/‖g‖, and moves x against the
gradient g⁺ that it finds there. It stands still where g⁺ = 0. Where g is not 0 as well, plain gradient
descent would go on: that x is no solution of the training problem, SAM only sees one. Such points are
called hallucinated (Park, Jang, Ryu and Yang 2025, arXiv 2509.21818).</p>
${line(point)}

<h2>The numbers</h2>
${numbers(point)}
${copies(point)}
${
  refined
    ? `<h2>After refining</h2>
<p>${escape(refined.refinement.sentence)} Moved by ${short(refined.refinement.steps.at(-1)?.moved ?? 0)} toward a zero
of g⁺, the point is this: ${verdictTag(refined.certificate.verdict.name)}</p>
${says(refined)}
${log(refined.refinement)}
${line(refined)}
${numbers(refined)}
${copies(refined)}`
    : ""
}
<h2>How to read them</h2>
<ul>
<li>H and H⁺ are the Hessians of the loss at x and at x⁺: how it curves there. A negative eigenvalue is a
direction in which it curves downward.</li>
<li>M is the derivative of x⁺ by x, and H⁺M that of g⁺; another method follows a direction v with derivative
Dv. Near a point where v = 0 a step multiplies a displacement by I − ηDv. An eigenvalue with negative real part
pushes the method away, a positive one draws it in, unless the learning rate η is too large. Where v is not 0,
nothing rests, and the spectrum says nothing about stability.</li>
<li>A residual bounds the error of an eigenvalue of a symmetric matrix. That no eigenvalue was missed is not
proved for large networks: a random start misses one with probability 0.</li>
</ul>
${isHallucinated((refined ?? point).certificate.verdict.name) ? advice : ""}
<p class="small">Thresholds: ${Object.entries(point.certificate.tolerances)
      .map(([name, value]) => `${name} ${short(value)}`)
      .join(", ")}. ${whole(details.dimension)} parameters,
${whole(point.certificate.products)} Hessian-vector products in ${short(point.certificate.seconds)} s, ${dtype} on
${escape(engine)}.${mode ? ` ${normalizations[mode]}.` : ""}</p>`,
  );
}

const says = ({ certificate: { verdict, attracting } }: CertifiedPoint) =>
  `<p class="lead">${escape(verdict.sentence)}</p>
${
  isHallucinated(verdict.name)
    ? `<p><strong>Do runs end here? ${capitalized(attracting.answer)}.</strong> ${escape(attracting.sentence)}</p>`
    : ""
}`;

const line = ({ profile, certificate: { verdict } }: CertifiedPoint) =>
  profile === undefined
    ? ""
    : profile
      ? picture(
          slopeFigure(profile, verdict.name),
          `The short lines have the slopes that SAM knows of: that of the loss at x is ‖g‖; the one at x⁺ is
what SAM acts on.`,
        )
      : "<p>The gradient vanishes here, so there is no direction to look in, and SAM stands still.</p>";

const numbers = ({ certificate }: CertifiedPoint) =>
  htmlTable(
    ["", "value", "meaning"],
    certificateNumbers(certificate).map((cells) => cells.map(escape)),
  );

const copies = ({ certificate: { details } }: CertifiedPoint) =>
  details.runs.length === 0
    ? ""
    : `<p>The method was run from ${details.runs.length} copies, displaced a little, for
${whole(details.runs[0]?.steps ?? 0)} steps with η = ${short(details.learningRate ?? NaN)}. A copy has returned where
its distance to the point at least halved, and left where it at least doubled:</p>
${htmlTable(
  ["displaced along", "outcome", "distance before", "after", "‖g⁺‖ before", "after"],
  details.runs.map((run) =>
    [
      run.start,
      run.outcome,
      ...[
        run.initialDistance,
        run.finalDistance,
        run.initialShiftedGradNorm,
        run.finalShiftedGradNorm,
      ].map(short),
    ].map(escape),
  ),
)}`;

function log({ steps }: Refinement): string {
  const [heads, ...rows] = refinementRows(steps, whole);
  return htmlTable(heads, rows);
}

const advice = `<h2>What to do about it</h2>
<ul>
<li>Use a smaller ρ.</li>
<li>Begin with plain descent and switch SAM on later: <code>lucid train --switch 0.1</code>, or when it is
safe: <code>--method auto-switching</code>.</li>
<li>Put SAM under guard: <code>--method guarded</code>.</li>
</ul>`;
