/** Headers of every answer of the lab's server: what its page may load, and who may ask. */

/**
 * Content security policy: everything comes from this server, and nothing is sent anywhere else. The
 * built pages carry the same, and hold to both.
 */
export const contentPolicy = [
  "default-src 'none'",
  // Engines are WebAssembly; code for maps is generated, and run in a worker.
  "script-src 'self' blob: 'wasm-unsafe-eval'",
  "worker-src 'self' blob:",
  // Figures carry their own styles.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Headers of every answer, refusals among them. */
export const securityHeaders: Readonly<Record<string, string>> = {
  "Content-Security-Policy": contentPolicy,
  "X-Content-Type-Options": "nosniff",
  // The address has a token in it when it is first opened.
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cross-Origin-Opener-Policy": "same-origin",
};

/** Names under which a browser may ask: any other was made to point here (DNS rebinding). */
const hosts: readonly string[] = ["127.0.0.1", "localhost", "[::1]"];

/** Whether a `Host` header names this machine; the port may be another, forwarded one. */
export const isOwnHost = (host: string | undefined): boolean =>
  host !== undefined && hosts.includes(host.replace(/:\d+$/, "").toLowerCase());

/** Whether a request comes from the page itself, or from an address that somebody typed. */
export function isOwnRequest(headers: {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly site?: string | undefined;
}): boolean {
  const { host, origin, site } = headers;
  if (origin !== undefined && origin !== `http://${host}`) return false;
  return site === undefined || site === "same-origin" || site === "none";
}
