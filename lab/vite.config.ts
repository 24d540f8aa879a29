/** The build of the lab: a static site that works from any host, below any path, without headers. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defaultClientConditions, defineConfig, type Plugin } from "vite";

/** Sources of the package's public entry points, which the lab imports and nothing else. */
const source = resolve(import.meta.dirname, "../src");

/**
 * What the built page may load: its own files and code it made itself (`blob:`), WebAssembly; of
 * others nothing. Styles may stand inline, since figures carry their own.
 */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self' blob: 'wasm-unsafe-eval'",
  "worker-src 'self' blob:",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** In the built page alone: the development server speaks through inline scripts. */
const policy: Plugin = {
  name: "content-security-policy",
  apply: "build",
  transformIndexHtml: () => [
    {
      tag: "meta",
      attrs: { "http-equiv": "Content-Security-Policy", content: contentSecurityPolicy },
      injectTo: "head-prepend",
    },
  ],
};

/** The package's modules do nothing when they are loaded: what is not used of them stays out. */
const bundle = {
  treeshake: { moduleSideEffects: (id: string) => !id.startsWith(`${source}/`) },
};

/** What a page says it was built from: the version, and the commit where there is a repository. */
function buildName(): string {
  const file = readFileSync(resolve(import.meta.dirname, "../package.json"), "utf8");
  const { version } = JSON.parse(file) as { readonly version: string };
  try {
    const commit = execFileSync("git", ["describe", "--always", "--dirty", "--exclude=*"], {
      cwd: import.meta.dirname,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return `${version} (${commit.trim()})`;
  } catch {
    return version;
  }
}

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  define: { LUCID_BUILD: JSON.stringify(buildName()) },
  plugins: [svelte({ configFile: resolve(import.meta.dirname, "svelte.config.js") }), policy],
  resolve: {
    alias: [{ find: /^lucid-sam\/([a-z]+)$/, replacement: `${source}/$1/index.ts` }],
    conditions: ["source", "onnxruntime-web", ...defaultClientConditions],
  },
  // Its build finds its WebAssembly beside itself.
  optimizeDeps: { exclude: ["onnxruntime-web"] },
  worker: { format: "es", rolldownOptions: bundle },
  build: {
    target: "esnext",
    assetsInlineLimit: 0,
    // What others wrote travels with their licenses.
    license: { fileName: "licenses.md" },
    rolldownOptions: bundle,
  },
});
