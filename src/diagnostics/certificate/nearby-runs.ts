/** Nearby runs: a method run from displaced copies of a point, and how far from it they end. */
import type { EngineOptions } from "../../engine/index.ts";
import type { Problem } from "../../problems/problem.ts";
import type { Descending, Knobs, Method } from "../../sam/contract/method.ts";
import { compileTraining } from "../../sam/training/training.ts";
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

/** Makes a method ready at a learning rate, for runs of so many steps, and frees it after use. */
export type Runner = <T>(
  pace: Pick<NearbyOptions, "learningRate" | "steps">,
  use: (run: (from: Vector) => Promise<Trace>) => Promise<T>,
) => Promise<T>;

/** The runs of a method that is compiled here. */
export const compiledRunner =
  (options: Pick<NearbyOptions, "problem" | "method" | "engine" | "sam">): Runner =>
  (pace, use) =>
    withMethod({ ...options, ...pace }, use);

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
  const runs: NearbyRun[] = [];
  await runner(options, async (run) => {
    for (const { name, direction } of displacements) {
      const { end, shiftedGradNorms } = await run(along(x, radius, direction));
      const finalDistance = distance(end, x);
      runs.push({
        start: name,
        outcome: outcomeOf(radius, finalDistance),
        steps,
        initialDistance: radius,
        finalDistance: finite(finalDistance),
        initialShiftedGradNorm: finite(shiftedGradNorms[0]),
        finalShiftedGradNorm: finite(shiftedGradNorms.at(-1)),
      });
    }
  });
  return runs;
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
  return runner(options, async (run) => {
    const { end, losses, gradNorms, shiftedGradNorms, cosines } = await run(x);
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
  });
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

/** Compile a method on a problem, use it, free it. */
async function withMethod<T>(
  {
    problem,
    method: given,
    learningRate,
    steps,
    engine,
    sam,
  }: Omit<NearbyOptions, "x" | "radius" | "displacements">,
  use: (run: (from: Vector) => Promise<Trace>) => Promise<T>,
): Promise<T> {
  if (sam) {
    const optimizer = given.outer.descending ?? plainDescent;
    return use((from) => runSam(sam, optimizer, from, learningRate, steps));
  }
  const method = held(given, learningRate);
  const training = await compileTraining({ problem, method, ...engine });
  const start = training.start();
  try {
    return await use(async (from) => {
      const trace: Omit<Trace, "end"> = {
        losses: [],
        gradNorms: [],
        shiftedGradNorms: [],
        cosines: [],
      };
      const { carry } = await training.run({
        steps,
        from: { step: 0, carry: { ...start.carry, params: unflatten(start.carry.params, from) } },
        onRecords({ loss, gradNorm, shiftedGradNorm, cosine }) {
          trace.losses.push(...loss);
          trace.gradNorms.push(...gradNorm);
          trace.shiftedGradNorms.push(...shiftedGradNorm);
          trace.cosines.push(...cosine);
        },
      });
      return { ...trace, end: flatten(carry.params) };
    });
  } finally {
    await training.dispose();
  }
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
  const trace = {
    losses: [] as number[],
    gradNorms: [] as number[],
    shiftedGradNorms: [] as number[],
    cosines: [] as number[],
  };
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
