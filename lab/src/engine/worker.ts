/** The engine of a view, in a worker: one program, one run at a time. */
import {
  compileDerivatives,
  flatten,
  samPoint,
  unflatten,
  type Derivatives,
} from "lucid-sam/diagnostics";
import { InputError, tensor, type EngineChoice } from "lucid-sam/engine";
import type { FloatType, Model, Point, Problem } from "lucid-sam/problems";
import { filesInMemory, folderOf, matchModel, readExportedProblem } from "lucid-sam/read";
import {
  buildMethod,
  buildProblem,
  canonicalJson,
  certifyEnd,
  loadState,
  prepareTraining,
  programKey,
  saveState,
  type Checkpoint,
  type MetricRow,
  type RunSpec,
  type Scores,
  type Training,
} from "lucid-sam/run";
import { modelOf } from "lucid-sam/sam";
import { browserSources } from "./sources.ts";
import type {
  Bytes,
  LabRow,
  Opened,
  Progress,
  Requests,
  RunRequest,
  Stopped,
  StoredPoint,
  Told,
} from "./protocol.ts";
import { answerRequests, type Request } from "../shared/requests.ts";

/** What is open. */
interface Session {
  readonly spec: RunSpec;
  readonly engine: EngineChoice;
  readonly training: Training;
  readonly checkpoint: Checkpoint;
}

let session: Session | undefined;
/** Stops the steps that are being taken. */
let steps = new AbortController();
let isPaused = false;
let isRunning = false;
/** Changes that wait for the chunk of steps to end. */
let changes: (() => Promise<void>)[] = [];

const opened = (): Session => {
  if (session) return session;
  throw new InputError("missing run: nothing is open (open a spec first)");
};

/** A program for a spec. */
async function prepare(spec: RunSpec, engine: EngineChoice, onFallback?: (why: string) => void) {
  const problem = await buildProblem(spec, browserSources);
  return prepareTraining({
    problem,
    method: buildMethod(spec),
    batchSize: spec.batch,
    recordPoints: problem.plane !== undefined,
    engine,
    onFallback,
  });
}

/** The checkpoint of a state that nothing is known of yet. */
const fresh = (training: Training, state: Checkpoint["state"]): Checkpoint => ({
  state,
  screen: training.screen().state(),
  evaluations: 0,
  seconds: 0,
});

async function open(spec: RunSpec, engine: EngineChoice, from: Bytes | undefined): Promise<Opened> {
  isPaused = true;
  await session?.training.dispose();
  await derivatives?.dispose();
  session = derivatives = undefined;
  let fallback: string | undefined;
  const training = await prepare(spec, engine, (why) => (fallback = why));
  const checkpoint = from
    ? loadState(from, training, "checkpoint")
    : fresh(training, training.start(spec.seed));
  session = { spec, engine, training, checkpoint };
  const { program } = training;
  return {
    spec,
    engine: program.engine,
    device: program.device,
    fallback,
    compileMilliseconds: program.compileMilliseconds,
    model: modelOf(checkpoint.state),
  };
}

const labRow = (row: MetricRow): LabRow => ({
  ...row,
  gradRatio: row.shiftedGradNorm / row.gradNorm,
});

/** Lets messages in: steps on one thread never yield to them by themselves. */
const letMessagesIn = () => new Promise<void>((done) => setTimeout(done));

async function run({ until, recordEvery = 1 }: RunRequest, id: number): Promise<Stopped> {
  if (isRunning) throw new InputError("invalid run: it is running already (pause it first)");
  isRunning = true;
  isPaused = false;
  try {
    for (;;) {
      for (const change of changes.splice(0)) await change();
      const { spec, training, checkpoint } = opened();
      const end = Math.min(until ?? spec.steps, spec.steps);
      steps = new AbortController();
      const now = await training.run({
        steps: spec.steps,
        seed: spec.seed,
        method: buildMethod(spec),
        from: checkpoint,
        until: Math.max(end, checkpoint.state.step),
        recordEvery,
        signal: steps.signal,
        async onChunk({ checkpoint, rows, latest, warning }) {
          session = { ...opened(), checkpoint };
          const progress: Progress = {
            step: checkpoint.state.step,
            rows: rows.map(labRow),
            latest: labRow(latest),
            warning,
            verdict: training.screen(checkpoint.screen).verdict(),
          };
          tell({ id, progress });
          await letMessagesIn();
        },
      });
      const { step, model, verdict, warning = null } = now;
      if (step >= end || isPaused) {
        return { step, paused: step < end, model, verdict, warning };
      }
    }
  } finally {
    isRunning = false;
    for (const change of changes.splice(0)) await change();
  }
}

/** Go on with another spec of the same problem. What only turns knobs needs no other program. */
async function adopt(spec: RunSpec): Promise<void> {
  const { spec: before, engine, training, checkpoint } = opened();
  if (programKey(spec) === programKey(before)) {
    session = { ...opened(), spec };
    return;
  }
  const next = await prepare(spec, engine);
  const start = next.start(spec.seed).carry;
  const { step, carry } = checkpoint.state;
  checkSameModel(carry.params, start.params);
  // Memory belongs to the method, and what the optimizer remembers to the optimizer.
  const state = {
    step,
    carry: {
      ...start,
      params: carry.params,
      statistics: carry.statistics,
      ...(spec.optimizer === before.optimizer && { outer: carry.outer }),
    },
  };
  session = { spec, engine, training: next, checkpoint: { ...checkpoint, state } };
  await training.dispose();
}

function checkSameModel(now: Model["params"], next: Model["params"]): void {
  // In canonical form: tensors of a checkpoint name their parts in another order.
  const shapes = (tree: unknown): string =>
    canonicalJson(
      JSON.parse(JSON.stringify(tree, (key, value: unknown) => (key === "data" ? null : value))),
    );
  if (shapes(now) === shapes(next)) return;
  throw new InputError("invalid change: the model would be another one (open it anew)");
}

async function change(spec: RunSpec): Promise<RunSpec> {
  if (!isRunning) await adopt(spec);
  else {
    await new Promise<void>((done, fail) => {
      changes.push(() => adopt(spec).then(done, fail));
      steps.abort();
    });
  }
  return spec;
}

/** Derivatives of the open run's problem, compiled when they are first asked for. */
let derivatives: Derivatives | undefined;

async function ascent(rho: number): Promise<Model["params"]> {
  const { engine, training, checkpoint } = opened();
  const { params } = modelOf(checkpoint.state);
  if (training.problem.initStatistics) {
    throw new InputError(
      `invalid ascent: ${training.problem.name} keeps statistics of its batches (choose a network without)`,
    );
  }
  derivatives ??= await compileDerivatives(training.problem, { engine });
  const { ascentPoint } = await samPoint(derivatives, flatten(params), rho);
  return unflatten(params, ascentPoint);
}

async function certify(point: Point | undefined, id: number) {
  const { spec, engine, checkpoint } = opened();
  const model = point
    ? { params: { x: tensor(point, [2], "float64") }, statistics: {} }
    : modelOf(checkpoint.state);
  return certifyEnd(spec, model, browserSources, {
    engine,
    onProgress: (note) => tell({ id, note }),
  });
}

async function certifyStored(spec: RunSpec, point: StoredPoint) {
  if ("tensors" in point) {
    const problem = await buildProblem({ ...spec, dtype: "float64" }, browserSources);
    const model = matchModel(problem, point.tensors, point.name);
    return certifyEnd(spec, model, browserSources, {});
  }
  const folder = folderOf(filesInMemory(point.files), "");
  const problems = new Map<FloatType, Promise<Problem>>();
  const read = (dtype: FloatType) => {
    const problem = problems.get(dtype) ?? readExportedProblem(folder, dtype);
    problems.set(dtype, problem);
    return problem;
  };
  const sources = {
    ...browserSources,
    problem: (_file: string, _table: string | undefined, dtype: FloatType) => read(dtype),
  };
  const problem = await read("float64");
  const model = { params: problem.init(0), statistics: problem.initStatistics?.() ?? {} };
  return certifyEnd(spec, model, sources, {});
}

async function evaluate(): Promise<Scores> {
  const { training, checkpoint } = opened();
  const { problem } = training;
  const model = modelOf(checkpoint.state);
  const train = await training.evaluate(model, problem.train);
  const test = problem.test && (await training.evaluate(model, problem.test));
  return { step: checkpoint.state.step, train, test };
}

function pause(): void {
  isPaused = true;
  steps.abort();
}

function answer(request: Request<Requests>): unknown {
  switch (request.name) {
    case "open":
      return open(...request.given);
    case "run":
      return run(...request.given, request.id);
    case "change":
      return change(...request.given);
    case "pause":
      return pause();
    case "certify":
      return certify(...request.given, request.id);
    case "checkpoint":
      return saveState({ checkpoint: opened().checkpoint });
    case "ascent":
      return ascent(...request.given);
    case "certifyStored":
      return certifyStored(...request.given);
    case "evaluate":
      return evaluate();
    default:
      return request satisfies never;
  }
}

const tell = (told: Told) => postMessage(told);

answerRequests(answer);
