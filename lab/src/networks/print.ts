/** The text of a certificate: a module of its own, so that a page loads no more of diagnostics for it. */
export { describeCertificate } from "lucid-sam/diagnostics";
