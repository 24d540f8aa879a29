/** A run in the foreground: progress on the terminal, a folder that keeps it, Ctrl-C that saves. */
import { existsSync } from "node:fs";
import { InputError, MachineError } from "../../engine/errors.ts";
import type { EngineChoice } from "../../engine/index.ts";
import { describeMachine } from "../../platform/node/machine.ts";
import { catchInterrupt } from "../../platform/node/interrupt.ts";
import { startProgress } from "../../platform/node/progress.ts";
import { nodeSources } from "../../run/node-sources.ts";
import type { Model } from "../../problems/problem.ts";
import { createRunFolder, type ContinuedRun, type RunFolder } from "../../store/run-folder.ts";
import { openEvents } from "../../store/tensorboard.ts";
import type { MetricRow } from "../../run/history.ts";
import { createRunner, type RunResult } from "../../run/run.ts";
import { specHash, type RunSpec } from "../../run/spec.ts";
import { downloadLine, drawingLine, progressLine, scoresLine } from "./report.ts";
import { Interrupted, type Terminal } from "./terminal.ts";
import { commandLine } from "./command-line.ts";

/** What is to be done, whether it begins or continues. */
export interface ForegroundRun {
  readonly spec: RunSpec;
  readonly engine: EngineChoice;
  readonly threads: number;
  readonly recordEvery: number;
  /** Ask after every so many steps what plain descent would do; absent: never. */
  readonly probeDescent?: number | undefined;
  readonly evaluateEvery?: number | undefined;
  readonly probeEvery?: number | undefined;
  /** SHA-256 of the samples that a continued run began with. */
  readonly dataHash?: string | undefined;
  /** Most seconds between checkpoints. */
  readonly saveEvery: number;
  /** Where the run begins or continues; absent when it is not kept. */
  readonly out?: string | undefined;
  readonly continued?: ContinuedRun | undefined;
  /** Folder for an event file that TensorBoard reads. */
  readonly tensorboard?: string | undefined;
}

/** Run, showing progress and keeping the run in its folder; Ctrl-C saves and throws. */
export async function runInForeground(
  job: ForegroundRun,
  keepRows: boolean,
  terminal: Terminal,
): Promise<{ result: RunResult; rows: readonly MetricRow[]; out: string | undefined }> {
  const { spec, engine, threads, recordEvery, evaluateEvery, probeEvery, saveEvery, out } = job;
  const { continued, probeDescent, tensorboard } = job;
  const machine = await describeMachine();
  // What cannot be kept is better said before the work than after it.
  const events = tensorboard === undefined ? undefined : await openEvents(tensorboard);
  const progress = startProgress({ stream: terminal.err });
  let where = out;
  // Only once steps are taken: compiling and making data keep the thread, and leave nothing to save.
  const interrupt = catchInterrupt(
    () => progress.note(`saving into ${where} … (again to stop at once)`),
    true,
  );
  const { signal } = interrupt;
  const runner = createRunner({
    machine,
    sources: nodeSources({
      onProgress: (file, received, total) =>
        progress.update(() => downloadLine(file, received, total)),
      onDrawn: (images, of) => progress.update(() => drawingLine(images, of)),
    }),
    engine,
    threads,
    onFallback: (reason) => progress.note(reason),
  });
  // Without a folder, rows are kept here, for the trace and for the folder an interrupt makes.
  const rows: MetricRow[] = [...(continued?.rows ?? [])];
  let folder = continued?.folder;
  let best: Model | undefined;
  let makeFolder: ((path: string) => Promise<RunFolder>) | undefined;
  try {
    let began = { step: 0, at: 0 };
    const outcome = await runner.run(spec, {
      recordEvery,
      counterfactual: probeDescent === undefined ? undefined : { every: probeDescent },
      evaluateEvery,
      probeEvery,
      signal,
      from: continued?.from,
      async onStart({ step, engine, dataHash }) {
        checkData(dataHash, job.dataHash);
        where ??= freeName(`lucid-run-${await specHash(spec)}`);
        interrupt.listen();
        makeFolder = (path) =>
          createRunFolder(
            path,
            {
              spec,
              engine,
              threads,
              recordEvery,
              probeDescent,
              evaluateEvery,
              probeEvery,
              dataHash,
              version: machine.version,
            },
            saveEvery,
          );
        if (out !== undefined) folder ??= await makeFolder(out);
        began = { step, at: performance.now() };
      },
      async onChunk(chunk) {
        await folder?.take(chunk);
        await events?.append(chunk.rows);
        if (keepRows || folder === undefined) rows.push(...chunk.rows);
        if (chunk.warning) progress.note(`step ${chunk.warning.step}: ${chunk.warning.sentence}`);
        progress.update(() =>
          progressLine(chunk, {
            steps: spec.steps,
            taken: chunk.checkpoint.state.step - began.step,
            seconds: (performance.now() - began.at) / 1000,
            images: spec.data !== undefined && spec.batch !== "full" ? spec.batch : undefined,
          }),
        );
      },
      async onScores(scores, { model, isBest }) {
        if (isBest) best = model;
        if (isBest) await folder?.keepBest(model);
        progress.note(scoresLine(scores, isBest));
      },
    });
    progress.done();
    if (outcome.status === "finished") {
      await folder?.finish(outcome);
      await events?.append([outcome.last]);
      rows.push(outcome.last);
      return { result: outcome.result, rows, out };
    }
    if (folder === undefined && makeFolder !== undefined && where !== undefined) {
      folder = await makeFolder(where);
      await folder.append(rows);
      if (best) await folder.keepBest(best);
    }
    await folder?.save(outcome.checkpoint);
    const then = folder ? `; continue with: ${commandLine("train", "--resume", folder.path)}` : "";
    throw new Interrupted(
      `stopped at step ${outcome.checkpoint.state.step} of ${spec.steps}${then}`,
    );
  } catch (error) {
    progress.done();
    if (error instanceof MachineError && folder !== undefined) {
      progress.note(`the run can be continued: ${commandLine("train", "--resume", folder.path)}`);
    }
    throw error;
  } finally {
    interrupt.dispose();
    await folder?.close();
    await events?.close();
    await runner.dispose();
  }
}

/** @throws {InputError} when a run would go on with other samples than it began with. */
function checkData(found: string, begun: string | undefined): void {
  if (begun === undefined || begun === found) return;
  throw new InputError(
    `invalid data: their SHA-256 is ${found}, and was ${begun} when the run began (bring back the files of then)`,
  );
}

/** `name`, or with a number where that is taken. */
function freeName(name: string): string {
  let free = name;
  for (let i = 2; existsSync(free); i++) free = `${name}-${i}`;
  return free;
}
