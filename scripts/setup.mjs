// Installs what package-lock.json names, once: `npm test` and `npm run demo` work on a bare clone.
// Runs on the host's Node, before anything is installed, so it uses nothing but Node ≥ 20.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, "node_modules", ".lucid-setup");
const lock = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");

if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== lock) {
  console.error("lucid-sam: installing dependencies (once) …");
  try {
    execFileSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      // Of ONNX Runtime the npm package is enough: its script downloads GPU libraries from elsewhere.
      env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" },
      // npm is a script on Windows.
      shell: process.platform === "win32",
    });
  } catch {
    console.error("lucid-sam: npm ci failed; the lines above say why");
    process.exit(1);
  }
  writeFileSync(stamp, lock);
}
