import { defineConfig } from "vitest/config";

// scripts/mutate.ts names the tests of a room.
const tests = process.env["LUCID_TESTS"];

export default defineConfig({
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source", "node"] } },
  test: {
    include: tests ? (JSON.parse(tests) as string[]) : ["src/**/*.test.ts", "test/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
    // Machines are noisy and tests that start processes wait for them.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
  },
});
