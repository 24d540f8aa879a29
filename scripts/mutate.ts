/**
 * Mutation tests by room: Stryker changes the code in one place at a time, and tests must notice.
 *
 *     npm run mutate -- ROOM [--mutate FILES]… [--tests FILES]… [--share 0.2 --seed 0] [--concurrency 1]
 *
 * FILES is a name, a glob or, of what is mutated, lines (`src/sam/define.ts:10-40`); default all of
 * the room. With `--share` only that share of the lines is mutated, drawn by seed: changes that span
 * several lines are left out then.
 */
import { globSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { parseArgs } from "node:util";
import { Stryker } from "@stryker-mutator/core";
import { randomStream } from "../src/engine/random.ts";

/** What is mutated, and the tests that should notice; those that start processes cannot. */
interface Room {
  readonly mutate: readonly string[];
  readonly tests: readonly string[];
}

const rooms: { readonly [name: string]: Room } = {
  judging: {
    mutate: [
      "src/diagnostics/verdict.ts",
      "src/diagnostics/screen/*.ts",
      "src/diagnostics/certificate/{stability,judgment,certificate,nearby-runs}.ts",
      "src/diagnostics/theorems/attraction.ts",
    ],
    tests: [
      "src/diagnostics/screen/*.test.ts",
      "src/diagnostics/certificate/{stability,judgment,certificate}.test.ts",
      "src/diagnostics/verdict.test.ts",
    ],
  },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mutate: { type: "string", multiple: true },
    tests: { type: "string", multiple: true },
    share: { type: "string", default: "1" },
    seed: { type: "string", default: "0" },
    concurrency: { type: "string", default: "1" },
  },
});
const name = positionals[0] ?? "";
const room = rooms[name];
if (room === undefined) {
  throw new Error(
    `unknown room ${JSON.stringify(name)}; there are ${Object.keys(rooms).join(", ")}`,
  );
}
const files = values.mutate ?? room.mutate;
const share = Number(values.share);

/** Lines of files, each taken with the probability `share`. */
function sample(globs: readonly string[]): string[] {
  const random = randomStream(Number(values.seed), "mutate", name);
  return globSync(globs)
    .sort()
    .filter((file) => !file.endsWith(".test.ts"))
    .flatMap((file) => {
      const lines = readFileSync(file, "utf8").split("\n");
      return lines.flatMap((_, i) => (random.uniform() < share ? `${file}:${i + 1}-${i + 1}` : []));
    });
}

// Whoever works beside it comes first.
setPriority(19);
// vitest.config.ts takes the tests from here.
process.env["LUCID_TESTS"] = JSON.stringify(values.tests ?? room.tests);
await new Stryker({
  mutate: [...(share < 1 ? sample(files) : files), "!src/**/*.test.ts"],
  testRunner: "vitest",
  vitest: { related: false },
  plugins: ["@stryker-mutator/vitest-runner"],
  coverageAnalysis: "perTest",
  // TypeScript 7 has no interface that Stryker could rewrite a configuration by.
  disableTypeChecks: false,
  tsconfigFile: "",
  concurrency: Number(values.concurrency),
  incremental: true,
  incrementalFile: `reports/mutation/${name}-incremental.json`,
  reporters: ["clear-text", "progress-append-only", "json"],
  jsonReporter: { fileName: `reports/mutation/${name}.json` },
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  // Whoever works beside it may slow it down.
  timeoutMS: 60_000,
  dryRunTimeoutMinutes: 60,
}).runMutationTest();
