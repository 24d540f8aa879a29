/**
 * The collection of the bank: the files that runs.py and runs.ts wrote, and the stored histories of
 * the studies figure-5-quick and real-networks, thinned to at most 200 rows a run with five digits.
 * Families that the folder does not have stay as they are in the bank.
 *
 *     node --conditions=source studies/bank/collect.ts FOLDER
 *
 * MNIST is read from LUCID_DATA, or downloaded.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { flatten, norm } from "../../src/diagnostics/index.ts";
import { buildProblem } from "../../src/run/build.ts";
import { nodeSources } from "../../src/run/node-sources.ts";
import { parseSpec } from "../../src/run/spec.ts";
import { startNorm } from "../tables/findings.ts";
import { median } from "../tables/table.ts";
import { readBank, type BankRun } from "./bank.ts";

const most = 200;
const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("missing folder: give the one that runs.py wrote to");

type Raw = Omit<BankRun, "twinEnd" | "twinLater" | "seed"> & { readonly seed: number };

const text = (path: string | URL) => readFileSync(path);
const lines = (content: string) => content.trimEnd().split("\n");

const families = readdirSync(folder)
  .filter((name) => name.endsWith(".gz"))
  .toSorted()
  .map((name) =>
    lines(gunzipSync(text(`${folder}/${name}`)).toString()).map((line) => JSON.parse(line) as Raw),
  );

const made = [...families.flatMap(withTwins), ...figure5(), ...(await realNetworks())];
const known = new Set(made.map(({ family }) => family));
const runs = [...readBank().filter(({ family }) => !known.has(family)), ...made];
writeFileSync(
  new URL("histories.jsonl.gz", import.meta.url),
  gzipSync(runs.map((run) => `${JSON.stringify(run, shorten)}\n`).join(""), { level: 9 }),
);

/** The runs with SAM, and what their twins without it came to. */
function withTwins(raw: readonly Raw[]): BankRun[] {
  return raw
    .filter(({ rho }) => rho > 0)
    .map((run) => {
      const twin = raw.find(({ rho, seed }) => rho === 0 && seed === run.seed);
      if (twin === undefined) throw new Error(`missing twin: ${run.family}, seed ${run.seed}`);
      return {
        family: run.family,
        rho: run.rho,
        seed: String(run.seed),
        x0: run.x0,
        steps: run.steps,
        probe: run.probe,
        guess: run.guess,
        k: run.k,
        start: run.start,
        end: run.end,
        later: run.later,
        twinEnd: twin.end,
        twinLater: twin.later,
        rows: thin(run.rows),
      };
    });
}

/**
 * Five seeds of six radii of figure-5-quick, made by lucid: 196–64–10 tanh network, full batch, with
 * SAM and with a switch at 10 %. Descent ends between 0.001 and 0.004 there; no run was continued.
 */
function figure5(): BankRun[] {
  const cells = cellsOf<{ rho: number; training: string; seed: number }>("figure-5-quick");
  return cells.flatMap(({ at, spec, row, history }) => {
    if (at.seed > 4) return [];
    const rows = rowsOf(history);
    return [
      {
        family: "figure-5",
        rho: at.rho,
        seed: `${at.training} ${at.seed}`,
        x0: startNorm(at.seed),
        steps: spec.steps,
        probe: true,
        guess: 2.2914,
        k: 0,
        start: rows[0]?.[1] ?? NaN,
        end: row.final.loss,
        later: null,
        twinEnd: 0.003,
        twinLater: null,
        rows: thin(rows),
      },
    ];
  });
}

/**
 * A graph network on two graphs, a transformer with AdamW and a ReLU network, made by lucid: full batch,
 * three seeds. No run was continued. Where a run without SAM is missing, those of other seeds stand for it.
 */
function realNetworks(): Promise<BankRun[]> {
  const cells = cellsOf<{ network: string; training: string; seed: number }>("real-networks");
  const withSam = cells.filter(({ spec }) => (spec.rho ?? 0) > 0);
  return Promise.all(
    withSam.map(async ({ at, spec, row, history }): Promise<BankRun> => {
      const problem = await buildProblem(parseSpec(spec), nodeSources());
      const twins = cells.filter(
        (one) => one.at.network === at.network && one.at.training === "descent",
      );
      const twin = twins.find((one) => one.at.seed === at.seed);
      const rows = rowsOf(history);
      return {
        family: at.network,
        rho: spec.rho ?? NaN,
        seed: String(at.seed),
        x0: norm(flatten(problem.init(at.seed))),
        steps: spec.steps,
        probe: true,
        guess: problem.guessLoss ?? NaN,
        k: 0,
        start: rows[0]?.[1] ?? NaN,
        end: row.final.loss,
        later: null,
        twinEnd: twin?.row.final.loss ?? median(twins.map((one) => one.row.final.loss)),
        twinLater: null,
        rows: thin(rows),
      };
    }),
  );
}

interface Cell<At> {
  readonly at: At;
  readonly spec: { readonly steps: number; readonly rho?: number | undefined };
  readonly row: { readonly final: { readonly loss: number } };
  readonly history: readonly { readonly [name: string]: number }[];
}

/** Cells of a stored study that were run. */
function cellsOf<At>(study: string): Cell<At>[] {
  const file = new URL(`../results/${study}.jsonl.gz`, import.meta.url);
  // The first line is about the study.
  const cells = lines(gunzipSync(text(file)).toString()).slice(1);
  return cells
    .map((line) => JSON.parse(line) as Cell<At> & { readonly row: unknown })
    .filter(({ row }) => row !== null);
}

function rowsOf(history: Cell<unknown>["history"]): (readonly number[])[] {
  const names = ["step", "loss", "shiftedLoss", "gradNorm", "shiftedGradNorm", "cosine"];
  return history.map((m) => names.map((name) => m[name] ?? NaN));
}

/** Every so many rows, with what a counterfactual said at some of them. */
function thin(rows: BankRun["rows"]): BankRun["rows"] {
  const stride = 2 ** Math.max(0, Math.ceil(Math.log2(rows.length / most)));
  return rows.filter((_, i) => i % stride === 0);
}

function shorten(_: string, value: unknown) {
  return typeof value === "number" && Number.isFinite(value) ? Number(value.toPrecision(5)) : value;
}
