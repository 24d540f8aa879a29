/** Certificates that Node and browsers must agree on, and how they are printed. */
import { describeCertificate, type Certificate } from "lucid-sam/diagnostics";

/** Runs whose ends are certified: on planes, and the last 5,000 of 45,000 steps of the network of docs/hallucinated-minimizer.md. */
export const certified = [
  { problem: "cosine", rho: 4 },
  { problem: "ridge", rho: 1.6 },
  {
    problem: "regression",
    rho: 2,
    lr: 0.01,
    steps: 5000,
    // After 40,000 steps from the start of docs/hallucinated-minimizer.md.
    start: [
      -0.48177965074081436, -0.2928766487480956, 0.78641454022632, 0.024917197935926783,
      0.39130974878990876, -0.2948400728063163, -0.3807629120265959,
    ],
  },
] as const;

/**
 * Everything a certificate prints but the time it took. Of networks, numbers below 1e-9 are what
 * rounding leaves of zeros, which differs between builds of ONNX Runtime, as does the number of
 * products until nothing but rounding is left.
 */
export function printed(certificate: Certificate): string {
  const text = describeCertificate(certificate).replace(/ in \S+ s, /, ", ");
  if (certificate.details.dimension === 2) return text;
  return (
    text
      .replace(/\d(\.\d+)?e-(9|[1-9]\d)\b/g, "rounding")
      .replace(/\d+ Hessian-vector products, /, "")
      // Lines and columns are as wide as these numbers were.
      .replace(/\s+/g, " ")
  );
}
