/** What a run or a point is: screened while it runs, certified in float64, found, refined, followed. */
export { createScreen, screenTolerances } from "./screen.ts";
export type { Screen, ScreenState, ScreenTolerances, Warning } from "./screen.ts";
export { isHallucinated, verdicts } from "./verdict.ts";
export type { Verdict, VerdictName } from "./verdict.ts";

export { certify } from "./certify.ts";
export type { CertifyOptions } from "./certify.ts";
export { certificateSchema, defaultCertificateTolerances } from "./certificate.ts";
export type { Certificate, CertificateTolerances } from "./certificate.ts";
export { describeCertificate } from "./report.ts";
export { ascentProfile } from "./profile.ts";
export type { Profile } from "./profile.ts";

export { compileDerivatives, flatten, planeDerivatives, unflatten } from "./derivatives.ts";
export type { Cost, Derivatives, LossAndGradient } from "./derivatives.ts";
export { samPoint } from "./sam-point.ts";
export type { SamPoint } from "./sam-point.ts";
export type { Operator, Vector } from "./vectors.ts";

export { refine } from "./refine.ts";
export type { Refinement, RefineOptions, RefineStep } from "./refine.ts";
export { construct, sweepEpsilon } from "./construction.ts";
export type { Construction, ConstructionOptions } from "./construction.ts";
export { searchSphere } from "./sphere.ts";
export type { SphereOptions, SpherePoint, SphereSearch } from "./sphere.ts";
export { continueInRho, traceHallucinated } from "./continuation.ts";
export type { Branch, BranchOptions, CurveOptions, HallucinatedCurve } from "./continuation.ts";
export { checkTheorems } from "./theorems.ts";
export type { TheoremRow } from "./theorems.ts";
