/** Chromium for tests: LUCID_CHROMIUM, or the distribution's. */
import { existsSync } from "node:fs";

const candidates = [
  process.env["LUCID_CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** Its path; `undefined` where there is none, and tests skip. */
export const chromium = candidates.find((path) => path !== undefined && existsSync(path));

/** Containers have neither the sandbox nor much shared memory. */
export const launchOptions = {
  ...(chromium !== undefined && { executablePath: chromium }),
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
};
