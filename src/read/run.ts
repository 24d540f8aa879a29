/** Runs, read from their folders: what they are, how they went, how they ended. */
import { z } from "zod";
import { engineNames, type EngineName } from "../engine/engines.ts";
import { InputError } from "../engine/errors.ts";
import type { Folder } from "../platform/files.ts";
import type { MetricRow } from "../run/history.ts";
import type { RunResult } from "../run/run.ts";
import { parseSpec, type RunSpec } from "../run/spec.ts";
import { parseHistory } from "../study/cell.ts";
import { readChecked } from "./checked-file.ts";

/** Version of the layout of run folders. */
export const runFormat = 1;

/** Files of a run folder. */
export const runFiles = {
  /** What the run is. Written first: a folder with it is a run. */
  config: "config.json",
  /** One row per line; the last is what the run ended with. */
  metrics: "metrics.jsonl",
  /** Where the run stands, while it is not finished. */
  checkpoint: "checkpoint.safetensors",
  /** The final model: parameters, and running statistics where there are some. */
  final: "final.safetensors",
  /** The model that has scored best so far, where the run evaluates. */
  best: "best.safetensors",
  /** How the run ended. Written last: a folder with it is finished. */
  result: "result.json",
} as const;

const configSchema = z.object({
  format: z.int(),
  version: z.string(),
  engine: z.enum(engineNames),
  threads: z.int(),
  recordEvery: z.int(),
  probeDescent: z.int().optional(),
  evaluateEvery: z.int().optional(),
  probeEvery: z.int().optional(),
  dataHash: z.string().optional(),
  spec: z.unknown(),
});

/** All that decides the bits of a run and its rows. */
export interface RunConfig {
  readonly spec: RunSpec;
  readonly engine: EngineName;
  readonly threads: number;
  readonly recordEvery: number;
  /** Steps from one counterfactual to the next; absent where none is asked. */
  readonly probeDescent?: number | undefined;
  /** Steps between evaluations, and between full-batch probes; absent: none. */
  readonly evaluateEvery?: number | undefined;
  readonly probeEvery?: number | undefined;
  /** SHA-256 of all samples, label noise included; older versions did not keep it. */
  readonly dataHash?: string | undefined;
  /** Version of the package that began the run. */
  readonly version: string;
}

/** A run as it was left. */
export interface StoredRun {
  readonly config: RunConfig;
  /** Rows written so far; a finished run's last row is what it ended with. */
  readonly rows: readonly MetricRow[];
  /** Given when the run is finished. */
  readonly result?: RunResult;
}

/**
 * Read a run from its folder.
 *
 * @throws {InputError} when it is not one, or one of a newer version.
 */
export async function readRun(folder: Folder): Promise<StoredRun> {
  const content = await folder.list();
  if (!content.includes(runFiles.config)) {
    throw new InputError(
      `missing run in ${folder.name}: it has no ${runFiles.config} (give a folder made by --out)`,
    );
  }
  const config = await readConfig(folder);
  const result = content.includes(runFiles.result) ? await readResult(folder) : undefined;
  const rows = await folder.read(runFiles.metrics);
  return {
    config,
    rows: rows ? parseHistory(new TextDecoder().decode(rows), folder.nameOf(runFiles.metrics)) : [],
    ...(result && { result }),
  };
}

async function readConfig(folder: Folder): Promise<RunConfig> {
  const path = folder.nameOf(runFiles.config);
  const parsed = configSchema.safeParse(await readChecked(folder, runFiles.config));
  if (!parsed.success) {
    throw new InputError(`invalid file ${path}: not the configuration of a run`);
  }
  const { format: found, spec, ...rest } = parsed.data;
  if (found > runFormat) {
    throw new InputError(
      `invalid file ${path}: written by lucid-sam ${rest.version}, which is newer (update lucid-sam)`,
    );
  }
  try {
    return { ...rest, spec: parseSpec(spec) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`invalid file ${path}: ${error.message}`, { cause: error });
  }
}

/** What every reader of a result relies on. */
const resultSchema = z.looseObject({
  spec: z.looseObject({}),
  hash: z.string(),
  final: z.looseObject({ step: z.int(), loss: z.number().nullable() }),
  verdict: z.looseObject({
    name: z.string(),
    sentence: z.string(),
    numbers: z.record(z.string(), z.number().nullable()),
  }),
  warning: z.looseObject({ step: z.int(), sentence: z.string() }).nullable(),
  evaluations: z.number(),
  provenance: z.looseObject({ engine: z.string(), device: z.string(), seconds: z.number() }),
});

async function readResult(folder: Folder): Promise<RunResult> {
  const found = await readChecked(folder, runFiles.result);
  if (resultSchema.safeParse(found).success) return found as RunResult;
  throw new InputError(
    `invalid file ${folder.nameOf(runFiles.result)}: not the result of a run (it was changed)`,
  );
}
