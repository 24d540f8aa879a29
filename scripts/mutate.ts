/**
 * Mutation tests by room: Stryker changes the code in one place at a time, and tests must notice.
 *
 *     npm run mutate -- ROOM [--mutate FILES]… [--tests FILES]… [--share 0.2 --seed 0] [--concurrency 1] [--timeout 60]
 *
 * FILES is a name, a glob or, of what is mutated, lines (`src/sam/define.ts:10-40`); default all of
 * the room. With `--share` only that share of the lines is mutated, drawn by seed: changes that span
 * several lines are left out then. A change that never ends is noticed after `--timeout` seconds: a busy
 * machine needs more. Tests in PostgreSQL start a server for every change unless LUCID_POSTGRES names one.
 * `reports/mutation/ROOM.jsonl` says of every change what became of it, as soon as it was tested.
 */
import { existsSync, globSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { setPriority } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { Stryker } from "@stryker-mutator/core";
import { randomStream } from "../src/engine/random.ts";
import { clopperPearson } from "../studies/intervals.ts";

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
    ],
    tests: [
      "src/diagnostics/verdict.test.ts",
      "src/diagnostics/screen/*.test.ts",
      "src/diagnostics/certificate/{stability,judgment,judgment-words,certificate,nearby-runs}.test.ts",
    ],
  },
  sam: {
    mutate: ["src/sam/**/*.ts", "!src/sam/index.ts"],
    tests: [
      "src/sam/**/*.test.ts",
      "test/sam/{tables,properties,rules,checks,methods-doc,ranges,ensemble}.test.ts",
      "test/oracle/methods.test.ts",
      "src/run/training.test.ts",
    ],
  },
  engine: {
    mutate: ["src/engine/**/*.ts", "!src/engine/**/{index,jax-js,ort-absent}.ts"],
    tests: [
      "src/engine/**/*.test.ts",
      "test/engine/{rules,lowering,primitives,choices,float64,native,agreement,bytes,step}.test.ts",
      "test/engine/{convolutions,ensemble}.test.ts",
    ],
  },
  study: {
    mutate: [
      "src/{study,store,read}/*.ts",
      "src/sweep/sweep.ts",
      "src/run/{run,checkpoint,history}.ts",
      "!src/{study,store,read}/index.ts",
    ],
    tests: [
      "src/{study,store,read,sweep}/*.test.ts",
      "src/run/{run,checkpoint,history}.test.ts",
      "test/study/database.test.ts",
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
    timeout: { type: "string", default: "60" },
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
  const exclude = globs.filter((glob) => glob.startsWith("!")).map((glob) => glob.slice(1));
  return globSync(
    globs.filter((glob) => !glob.startsWith("!")),
    { exclude: ["**/*.test.ts", ...exclude] },
  )
    .sort()
    .flatMap((file) => {
      const lines = readFileSync(file, "utf8").split("\n");
      return lines.flatMap((_, i) => (random.uniform() < share ? `${file}:${i + 1}-${i + 1}` : []));
    });
}

// Whoever works beside it comes first.
setPriority(19);
const folder = "reports/mutation";
mkdirSync(folder, { recursive: true });
// What was tested is there as soon as it was, also where the series is stopped.
const lines = `${folder}/${name}.jsonl`;
rmSync(lines, { force: true });
process.env["LUCID_MUTATE_LINES"] = resolve(lines);
process.once("exit", () => {
  if (!existsSync(lines)) return;
  const tested = readFileSync(lines, "utf8").trimEnd().split("\n");
  const ends = tested.map((line) => (JSON.parse(line) as { status: string }).status);
  const count = (...among: string[]) => ends.filter((end) => among.includes(end)).length;
  const noticed = count("Killed", "Timeout");
  const all = noticed + count("Survived", "NoCoverage");
  if (all === 0) return;
  const [score, ...bounds] = [noticed / all, ...clopperPearson(noticed, all)].map((part) =>
    (100 * part).toFixed(1),
  );
  console.log(
    `${noticed} of ${all} changes noticed: ${score} %, with 95 % ${bounds.join(" to ")} %`,
  );
});
// vitest.config.ts takes the tests from here.
process.env["LUCID_TESTS"] = JSON.stringify(values.tests ?? room.tests);
await new Stryker({
  mutate: [...(share < 1 ? sample(files) : files), "!src/**/*.test.ts"],
  // Copies of the working tree need the code and what tests read.
  ignorePatterns: ["/lab", "/dist", "/reports"],
  testRunner: "vitest",
  vitest: { related: false },
  plugins: ["@stryker-mutator/vitest-runner", new URL("mutate-lines.ts", import.meta.url).href],
  coverageAnalysis: "perTest",
  // TypeScript 7 has no interface that Stryker could rewrite a configuration by.
  disableTypeChecks: false,
  tsconfigFile: "",
  concurrency: Number(values.concurrency),
  incremental: true,
  incrementalFile: `${folder}/${name}-incremental.json`,
  reporters: ["clear-text", "progress-append-only", "json", "lines"],
  jsonReporter: { fileName: `${folder}/${name}.json` },
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  timeoutMS: 1000 * Number(values.timeout),
  dryRunTimeoutMinutes: 60,
}).runMutationTest();
