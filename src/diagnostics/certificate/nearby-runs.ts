/** Nearby runs: a method run from displaced copies of a point, and how far from it they end. */
import type { EngineOptions } from "../../engine/index.ts";
import type { Twin } from "../../engine/program.ts";
import { inTurns } from "../../engine/turns.ts";
import type { Problem } from "../../problems/problem.ts";
import type { Descending, Knobs, Method } from "../../sam/contract/method.ts";
import { openMembers, planMembers } from "../../sam/training/members.ts";
import { fitsBeside, leastWorkBeside } from "../../sam/training/pass-memory.ts";
import { toRecords, type Records } from "../../sam/training/records.ts";
import type { TrainingState } from "../../sam/training/state.ts";
import type { StepOptions } from "../../sam/training/step.ts";
import { compileTraining, type CompiledTraining } from "../../sam/training/training.ts";
import { valueAt } from "../../settings/schedules.ts";
import type { NearbyRun } from "./certificate.ts";
import { flatten, unflatten, type Derivatives } from "../point/derivatives.ts";
import { samPoint } from "../point/sam-point.ts";
import { along, distance, dot, type Vector } from "../algebra/vectors.ts";

/** A direction to displace a copy in. */
export interface Displacement {
  readonly name: string;
  /** Of norm 1. */
  readonly direction: Vector;
}

/** From where, and how, a method runs beside a point. */
export interface NearbyOptions {
  /** With a loss that is the same in every pass, the one that is certified: see `fixedLoss`. */
  readonly problem: Problem;
  readonly x: Vector;
  /** On the full batch; its schedules are held at their values at the end of a run. */
  readonly method: Method;
  /** In place of the method's own. */
  readonly learningRate: number;
  readonly steps: number;
  /** How far copies are displaced. */
  readonly radius: number;
  readonly displacements: readonly Displacement[];
  readonly engine?: EngineOptions | undefined;
  /** Take the gradients from here, for SAM at radius `rho`: where the samples do not fit into one pass. */
  readonly sam?: { readonly f: Derivatives; readonly rho: number } | undefined;
}

/** What a run looked like over its second half, and how it moved. */
export interface RunAverages {
  /** Geometric means. */
  readonly gradNorm: number;
  readonly shiftedGradNorm: number;
  readonly firstLoss: number;
  /** The mean over the second half … */
  readonly lastLoss: number;
  /** … and the loss at the very end. */
  readonly endLoss: number;
  /** Of cos(g, g⁺). */
  readonly cosine: number;
  /** ‖x_t − x_0‖ at the end. */
  readonly moved: number;
  readonly finite: boolean;
}

/** A copy has returned where its distance to the point fell to this fraction of what it was … */
export const returnedBelow = 0.5;
/** … and left where it grew to this multiple. */
export const leftAbove = 2;

/** What became of a copy, by its distance to the point alone. */
export function outcomeOf(initial: number, final: number): NearbyRun["outcome"] {
  if (!(final < leftAbove * initial)) return "left";
  return final <= returnedBelow * initial ? "returned" : "stayed";
}

/** Runs a method at a learning rate for so many steps, from each of several points. */
export type Runner = (
  pace: Pick<NearbyOptions, "learningRate" | "steps">,
  from: readonly Vector[],
) => Promise<Trace[]>;

/** The runs of a method that is compiled here. */
export const compiledRunner =
  (options: Pick<NearbyOptions, "problem" | "method" | "engine" | "sam">): Runner =>
  (pace, from) =>
    runAll({ ...options, ...pace }, from);

/** Run a method from displaced copies of a point, and measure how far from it they end. */
export async function runNearby({
  problem,
  method,
  engine,
  sam,
  ...options
}: NearbyOptions): Promise<NearbyRun[]> {
  return runCopies(compiledRunner({ problem, method, engine, sam }), options);
}

/** {@link runNearby} with any runner. */
export async function runCopies(
  runner: Runner,
  options: Omit<NearbyOptions, "problem" | "method" | "engine" | "sam">,
): Promise<NearbyRun[]> {
  const { x, radius, displacements, steps } = options;
  const starts = displacements.map(({ direction }) => along(x, radius, direction));
  const traces = await runner(options, starts);
  return traces.map(({ end, shiftedGradNorms }, i) => {
    const finalDistance = distance(end, x);
    return {
      start: displacements[i]?.name ?? "",
      outcome: outcomeOf(radius, finalDistance),
      steps,
      initialDistance: radius,
      finalDistance: finite(finalDistance),
      initialShiftedGradNorm: finite(shiftedGradNorms[0]),
      finalShiftedGradNorm: finite(shiftedGradNorms.at(-1)),
    };
  });
}

/** JSON has no infinity and no NaN. */
const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;

/** Run a method from the point itself, and average over the second half. */
export async function runFrom(
  runner: Runner,
  options: Pick<NearbyOptions, "x" | "learningRate" | "steps">,
): Promise<RunAverages> {
  const { x } = options;
  const [trace] = await runner(options, [x]);
  const { end, losses, gradNorms, shiftedGradNorms, cosines } = trace as Trace;
  const half = <T>(values: T[]) => values.slice(Math.floor(values.length / 2));
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const geometric = (values: number[]) => Math.exp(mean(half(values).map(Math.log)));
  const moved = distance(end, x);
  return {
    gradNorm: geometric(gradNorms),
    shiftedGradNorm: geometric(shiftedGradNorms),
    firstLoss: losses[0] ?? NaN,
    lastLoss: mean(half(losses)),
    endLoss: losses.at(-1) ?? NaN,
    cosine: mean(half(cosines)),
    moved,
    finite: Number.isFinite(moved) && losses.every(Number.isFinite),
  };
}

/** What a run saw, step by step, and where it ended. */
export interface Trace {
  readonly end: Vector;
  readonly losses: number[];
  readonly gradNorms: number[];
  readonly shiftedGradNorms: number[];
  readonly cosines: number[];
}

/** Far enough in a run for every schedule to have come to its end. */
export const lateStep = 1_000_000;

/** A method whose settings are held at the end of their schedules, at one learning rate. */
function held(method: Method, learningRate: number): Method {
  const fix = (knobs: Knobs, rate?: number): Knobs =>
    Object.fromEntries(
      Object.entries(knobs).map(([name, knob]): [string, number | Knobs] => {
        if (typeof knob === "object") return [name, fix(knob, rate)];
        const own = rate !== undefined && name === "learningRate";
        return [name, own ? rate : valueAt(knob, lateStep, lateStep + 1)];
      }),
    );
  const { outer } = method;
  return {
    ...method,
    knobs: fix(method.knobs),
    outer: { ...outer, knobs: fix(outer.knobs, learningRate) },
  };
}

/**
 * Steps of all runs from which on an ensemble is compiled: that takes as long as some thousand steps of
 * the smallest networks.
 */
const leastSteps = 10_000;

/** Compile a method on a problem, run it from every start, free it. */
async function runAll(
  {
    problem,
    method: given,
    learningRate,
    steps,
    engine = {},
    sam,
  }: Omit<NearbyOptions, "x" | "radius" | "displacements">,
  from: readonly Vector[],
): Promise<Trace[]> {
  if (sam) {
    const optimizer = given.outer.descending ?? plainDescent;
    const traces: Trace[] = [];
    for (const x of from) traces.push(await runSam(sam, optimizer, x, learningRate, steps));
    return traces;
  }
  const method = held(given, learningRate);
  const threads = engine.threads ?? 1;
  // Two runs at once gain more from two cores than one run on both.
  const work = (from[0]?.length ?? 0) * problem.train.size * steps * from.length;
  const isApart =
    from.length > 1 && threads > 1 && work >= leastWorkBeside && (await fitsBeside(problem));
  const training = await compileTraining({
    problem,
    method,
    ...engine,
    threads: isApart ? 1 : threads,
  });
  const start = training.start();
  const starts = from.map((x): TrainingState => {
    const params = unflatten(start.carry.params, x);
    return { step: 0, carry: { ...start.carry, params } };
  });
  try {
    const together = await sideBySide(training, { problem, method, ...engine }, starts, steps);
    if (together) return together;
    const twin = isApart ? training.program.twin?.() : undefined;
    const here = (state: TrainingState) =>
      traceOf((options) => training.run(options), state, steps);
    const apart = twin ? [(state: TrainingState) => traceOfTwin(training, twin, state, steps)] : [];
    try {
      return await inTurns(starts.length, here, apart, (trace, i) =>
        trace(starts[i] as TrainingState),
      );
    } finally {
      await twin?.dispose();
    }
  } finally {
    await training.dispose();
  }
}

/** All runs in one program, where that gains much: their numbers are those of runs alone. */
async function sideBySide(
  training: CompiledTraining,
  options: StepOptions & EngineOptions,
  starts: readonly TrainingState[],
  steps: number,
): Promise<Trace[] | undefined> {
  const members = starts.length;
  if (members < 2 || members * steps < leastSteps) return undefined;
  const one = { ...options, threads: 1 };
  const ensemble = await openMembers(await planMembers(training, one, members), training, one);
  if ("alone" in ensemble) return undefined;
  try {
    return await Promise.all(
      ensemble
        .seats(members)
        .map((seat, member) =>
          traceOf((options) => seat.run(options), starts[member] as TrainingState, steps),
        ),
    );
  } finally {
    await ensemble.dispose();
  }
}

/** What a run sees from a state on. */
async function traceOf(
  run: CompiledTraining["run"],
  from: TrainingState,
  steps: number,
): Promise<Trace> {
  const trace = emptyTrace();
  const { carry } = await run({ steps, from, onRecords: (records) => note(trace, records) });
  return { ...trace, end: flatten(carry.params) };
}

/** The same, in another thread. */
async function traceOfTwin(
  training: CompiledTraining,
  twin: Twin,
  from: TrainingState,
  steps: number,
): Promise<Trace> {
  const trace = emptyTrace();
  const { carry, records } = await twin.run(training.feeds({ steps, from }));
  note(trace, toRecords(records, steps));
  return { ...trace, end: flatten((carry as TrainingState["carry"]).params) };
}

const emptyTrace = () => ({
  losses: [] as number[],
  gradNorms: [] as number[],
  shiftedGradNorms: [] as number[],
  cosines: [] as number[],
});

function note(
  trace: ReturnType<typeof emptyTrace>,
  { loss, gradNorm, shiftedGradNorm, cosine }: Records,
): void {
  trace.losses.push(...loss);
  trace.gradNorms.push(...gradNorm);
  trace.shiftedGradNorms.push(...shiftedGradNorm);
  trace.cosines.push(...cosine);
}

const plainDescent: Descending = { momentum: 0, nesterov: false, weightDecay: 0 };

/** SAM's steps by its formula, x⁺ = x + ρ g/‖g‖, from gradients that are taken block by block. */
async function runSam(
  { f, rho }: NonNullable<NearbyOptions["sam"]>,
  { momentum, nesterov, weightDecay }: Descending,
  from: Vector,
  learningRate: number,
  steps: number,
): Promise<Trace> {
  const trace = emptyTrace();
  let x = from;
  let v: Vector = new Float64Array(from.length);
  for (let t = 0; t < steps; t++) {
    const seen = await samPoint(f, x, rho);
    const { gradient, shiftedGradient, gradNorm, shiftedGradNorm } = seen;
    trace.losses.push(seen.loss);
    trace.gradNorms.push(gradNorm);
    trace.shiftedGradNorms.push(shiftedGradNorm);
    trace.cosines.push(dot(gradient, shiftedGradient) / (gradNorm * shiftedGradNorm) || 0);
    // d = g⁺ + λx;  v ← μv + d;  x ← x − ηv, or with Nesterov x ← x − η(d + μv)
    const d = along(shiftedGradient, weightDecay, x);
    v = along(d, momentum, v);
    x = along(x, -learningRate, nesterov ? along(d, momentum, v) : v);
  }
  return { ...trace, end: x };
}
