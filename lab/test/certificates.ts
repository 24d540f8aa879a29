/** Certificates that Node and browsers must agree on, and how they are printed. */
import { describeCertificate, type Certificate } from "lucid-sam/diagnostics";

/** Runs on planes whose ends are certified. */
export const certified = [
  { problem: "cosine", rho: 4 },
  { problem: "ridge", rho: 1.6 },
] as const;

/** Everything a certificate prints but the time it took. */
export const printed = (certificate: Certificate): string =>
  describeCertificate(certificate).replace(/ in \S+ s, /, ", ");
