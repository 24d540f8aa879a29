/** Diagnostics of runs and points: the screen, certificates, refinement, and the search for hallucinated points. */
export { createScreen, screenTolerances } from "./screen/screen.ts";
export type {
  EvidenceKind,
  Screen,
  ScreenOptions,
  ScreenState,
  ScreenTolerances,
  Warning,
} from "./screen/screen.ts";
export type { SignalColumns } from "./screen/signals.ts";
export { prepareCounterfactual } from "./screen/counterfactual.ts";
export type {
  Counterfactual,
  CounterfactualLook,
  CounterfactualOptions,
  CounterfactualRun,
} from "./screen/counterfactual.ts";
export { isHallucinated, verdicts } from "./verdict.ts";
export type { Verdict, VerdictName } from "./verdict.ts";

export { certify } from "./certificate/certify.ts";
export { certifySubset } from "./certificate/subsets.ts";
export type { SubsetOptions } from "./certificate/subsets.ts";
export type { CertifyOptions } from "./certificate/certify.ts";
export { certificateSchema, defaultCertificateTolerances } from "./certificate/certificate.ts";
export type { Certificate, CertificateTolerances } from "./certificate/certificate.ts";
export { certificateNumbers, describeCertificate, subjectLines } from "./certificate/report.ts";
export { runNearby } from "./certificate/nearby-runs.ts";
export type { Displacement, NearbyOptions } from "./certificate/nearby-runs.ts";
export { ascentProfile } from "./point/profile.ts";
export type { Profile } from "./point/profile.ts";

export { compileDerivatives, flatten, planeDerivatives, unflatten } from "./point/derivatives.ts";
export type {
  Cost,
  Derivatives,
  DerivativesOptions,
  LossAndGradient,
} from "./point/derivatives.ts";
export type { FixedLossOptions } from "./point/fixed-loss.ts";
export { samPoint } from "./point/sam-point.ts";
export type { SamPoint } from "./point/sam-point.ts";
export { along, norm, randomUnit, scaled } from "./algebra/vectors.ts";
export type { Operator, Vector } from "./algebra/vectors.ts";
export { extremeEigenvalues } from "./algebra/lanczos.ts";
export { minres } from "./algebra/minres.ts";

export { refine } from "./point/refine.ts";
export type { Refinement, RefineOptions, RefineStep } from "./point/refine.ts";
export { construct, sweepEpsilon } from "./search/construction.ts";
export type { Construction, ConstructionOptions } from "./search/construction.ts";
export { searchPlane } from "./search/plane-search.ts";
export type { PlaneSearchOptions } from "./search/plane-search.ts";
export { searchSphere } from "./search/sphere.ts";
export type { SphereOptions, SpherePoint, SphereSearch } from "./search/sphere.ts";
export { continueInRho, traceHallucinated } from "./search/continuation.ts";
export type {
  Branch,
  BranchOptions,
  CurveOptions,
  HallucinatedCurve,
} from "./search/continuation.ts";
export { checkTheorems } from "./theorems/index.ts";
export type { TheoremRow } from "./theorems/index.ts";
export { traceScene } from "./plane/scene.ts";
export type { Scene, SceneOptions } from "./plane/scene.ts";
export { basinCode } from "./plane/basin-code.ts";
export type { BasinCode } from "./plane/basin-code.ts";
export { basinEnds, basinMap, fillCoarse, mergeBasins, notYet } from "./plane/basins.ts";
export type { BasinEnd, BasinMap, BasinOptions } from "./plane/basins.ts";
