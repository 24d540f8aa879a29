/** Certificates on the command line: of a point, and of what refining it led to. */
import type { Certificate } from "../../diagnostics/certificate/certificate.ts";
import { describeCertificate } from "../../diagnostics/certificate/report.ts";
import type { Derivatives } from "../../diagnostics/point/derivatives.ts";
import { ascentProfile } from "../../diagnostics/point/profile.ts";
import type { Refinement } from "../../diagnostics/point/refine.ts";
import type { Vector } from "../../diagnostics/algebra/vectors.ts";
import { writeText } from "../../platform/node/files.ts";
import { refinementRows, short } from "../../report/words.ts";
import { table } from "./table.ts";
import { printJson, type Terminal } from "./terminal.ts";

/** A point and what it is. */
export interface Judged {
  readonly x: Vector;
  readonly certificate: Certificate;
}

/** What refining led to, and what that is. */
export interface Refined extends Judged {
  readonly refinement: Refinement;
}

/** Print certificates as text or JSON. */
export function printCertified(
  before: Judged,
  refined: Refined | undefined,
  json: boolean,
  terminal: Terminal,
): void {
  if (json) printJson(terminal, asJson(before, refined));
  else terminal.out(asText(before, refined));
}

/** Keep certificates as a page, with the loss along the line of the ascent. */
export async function writeCertified(
  file: string,
  before: Judged,
  refined: Refined | undefined,
  f: Derivatives,
  rho: number,
): Promise<void> {
  // Loaded on demand, as is all that draws.
  const { certificatePage } = await import("../../report/certificate-page.ts");
  const withProfile = async <T extends Judged>(judged: T) => ({
    ...judged,
    profile: rho > 0 ? ((await ascentProfile(f, judged.x, rho)) ?? null) : null,
  });
  const page = certificatePage(await withProfile(before), refined && (await withProfile(refined)));
  await writeText(file, page);
}

function asJson({ certificate }: Judged, refined: Refined | undefined) {
  if (refined === undefined) return certificate;
  const { converged, sentence, steps } = refined.refinement;
  return {
    ...refined.certificate,
    refinement: { converged, sentence, before: certificate, steps },
  };
}

function asText({ certificate }: Judged, refined: Refined | undefined): string {
  const before = describeCertificate(certificate);
  if (refined === undefined) return before;
  return [
    before,
    describeRefinement(refined.refinement),
    describeCertificate(refined.certificate),
  ].join("\n");
}

function describeRefinement({ steps, sentence }: Refinement): string {
  const last = steps.at(-1);
  return [
    `refined: ${sentence} Moved by ${short(last?.moved ?? 0)}.`,
    table(refinementRows(steps, String)),
  ].join("\n");
}
