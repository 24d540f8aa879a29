/** Tests of the lab: modules in a real browser, the built page in the same, opened from outside. */
import { playwright } from "@vitest/browser-playwright";
import { defineConfig, mergeConfig } from "vitest/config";
import { chromium, launchOptions } from "./test/chromium.ts";
import site from "./vite.config.ts";

if (chromium === undefined) {
  console.warn(
    "skipped: the lab's tests (no Chromium here: apt-get install chromium, or set LUCID_CHROMIUM)",
  );
}

const patience = { testTimeout: 120_000, hookTimeout: 300_000 };

export default mergeConfig(
  site,
  defineConfig({
    test: {
      passWithNoTests: true,
      maxWorkers: 2,
      projects:
        chromium === undefined
          ? []
          : [
              {
                extends: true,
                ssr: { resolve: { conditions: ["source", "node"] } },
                // Found while tests run, they would make Vite bundle again and load the pages anew.
                optimizeDeps: { include: ["@bufbuild/protobuf/wire", "fflate"] },
                test: {
                  ...patience,
                  name: "modules",
                  env: { VITEST_BROWSER_IFRAME_TIMEOUT: String(patience.hookTimeout) },
                  include: ["src/**/*.test.ts"],
                  globalSetup: ["test/node-certificates.ts"],
                  browser: {
                    enabled: true,
                    headless: true,
                    screenshotFailures: false,
                    // Pages of other tests may have both cores.
                    connectTimeout: 300_000,
                    provider: playwright({ launchOptions }),
                    instances: [{ browser: "chromium" }],
                  },
                },
              },
              {
                extends: true,
                test: {
                  ...patience,
                  name: "page",
                  // Pages answer when they can: machines differ.
                  expect: { poll: { timeout: 20_000, interval: 100 } },
                  include: ["test/**/*.test.ts"],
                  globalSetup: ["test/built-site.ts"],
                },
              },
            ],
    },
  }),
);
