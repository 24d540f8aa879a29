/**
 * Ensembles of runs: trainings that differ in seed and knobs alone, whose steps one program takes side by
 * side, each with the numbers it has alone.
 */
import { InputError } from "../../engine/errors.ts";
import { planEnsemble, UnsupportedError, type EngineOptions } from "../../engine/index.ts";
import type { Program } from "../../engine/program.ts";
import {
  leavesOf,
  leavesWithPaths,
  mapTree,
  sizeOf,
  typesOf,
  unflattenLike,
  wrap,
  zeros,
  type Tensor,
  type TensorType,
  type Tree,
} from "../../engine/tensor.ts";
import { samplesPerStep } from "./batches.ts";
import { toRecords } from "./records.ts";
import type { TrainingState } from "./state.ts";
import { trainingInputs, trainingStep, type StepOptions } from "./step.ts";
import {
  layOutRuns,
  stepsPerSegment,
  type CompiledTraining,
  type TrainOptions,
} from "./training.ts";

/**
 * A place in an ensemble. Its `run` is that of a compiled training, except that it waits for those of
 * all other seats, which must begin at the same step and end at the same step.
 */
export interface Seat extends Pick<CompiledTraining, "run"> {
  /** Wait for this seat no longer. */
  leave(): void;
}

/** A training step compiled for several runs side by side. */
export interface EnsembleTraining {
  readonly members: number;
  /** Steps of all runs in the time of one step alone, as planned. */
  readonly gain: number;
  /**
   * Compile, and check that a few steps have bit for bit the numbers they have alone.
   *
   * @throws {UnsupportedError} where they have not: kernels differ from machine to machine.
   */
  open(alone: CompiledTraining, engine: EngineOptions): Promise<OpenEnsemble>;
}

export interface OpenEnsemble {
  /** Seats for runs that are to be taken together; at most `members`, one round at a time. */
  seats(count: number): Seat[];
  dispose(): Promise<void>;
}

/**
 * Plan an ensemble of runs of a method on a problem.
 *
 * @throws {UnsupportedError} when the step has what cannot be taken side by side, such as convolutions.
 */
export async function planEnsembleTraining(
  options: StepOptions,
  members: number,
): Promise<EnsembleTraining> {
  const plan = await planEnsemble(trainingStep(options), members);
  return {
    members,
    gain: plan.gain,
    async open(alone, { threads }) {
      const program = await plan.compile({ threads });
      const ensemble: OpenEnsemble = {
        seats: (count) => openRound(program, options, members, count),
        dispose: () => program.dispose(),
      };
      const wrong = await firstDifference(alone, ensemble, members);
      if (wrong === undefined) return ensemble;
      await program.dispose();
      throw new UnsupportedError(
        program.engine,
        "ensemble",
        `${wrong} differs from that of a run alone on this machine (run alone)`,
      );
    },
  };
}

/** Steps that are compared, and of which members: rows of memory begin in other places for each. */
const checkedSteps = 16;
const checkedMembers = (members: number) => new Set([0, 1, members >> 1, members - 1]);

async function firstDifference(
  alone: CompiledTraining,
  ensemble: OpenEnsemble,
  members: number,
): Promise<string | undefined> {
  const checked = checkedMembers(members);
  const steps = checkedSteps;
  const see = async (run: CompiledTraining["run"], seed: number) => {
    const seen: unknown[] = [];
    const state = await run({
      steps,
      seed,
      from: alone.start(seed),
      onRecords: (r) => void seen.push(r),
    });
    return { seen, state };
  };
  const together = await Promise.all(
    ensemble.seats(members).map(({ run }, seed) => see(run, seed)),
  );
  for (const seed of checked) {
    const own = await see((options) => alone.run(options), seed);
    const other = together[seed];
    const path = other && differingPath(columns(own), columns(other));
    if (path !== undefined) return path;
  }
  return undefined;
}

/** Everything a run has reported and come to, by name. */
function columns({
  seen,
  state,
}: {
  seen: unknown[];
  state: TrainingState;
}): Map<string, number[]> {
  const all = new Map<string, number[]>();
  for (const [path, { data }] of leavesWithPaths<Tensor>(state.carry)) all.set(path, [...data]);
  for (const records of seen as Readonly<Record<string, unknown>>[]) {
    for (const [name, value] of Object.entries(records)) {
      if (ArrayBuffer.isView(value)) {
        const column = value as unknown as Iterable<number>;
        all.set(name, [...(all.get(name) ?? []), ...column]);
      }
    }
  }
  return all;
}

function differingPath(
  own: ReadonlyMap<string, number[]>,
  other: ReadonlyMap<string, number[]>,
): string | undefined {
  for (const [path, values] of own) {
    const found = other.get(path);
    if (!values.every((value, i) => Object.is(value, found?.[i]))) return path;
  }
  return undefined;
}

/** A call of a seat's `run`, under way. */
interface Request {
  readonly options: TrainOptions;
  readonly resolve: (state: TrainingState) => void;
  readonly reject: (error: unknown) => void;
  state: TrainingState;
}

/** Seats whose runs are taken together whenever all that have not left have asked for steps. */
function openRound(program: Program, options: StepOptions, members: number, count: number): Seat[] {
  const present = new Set(Array.from({ length: count }, (_, i) => i));
  const requests = new Map<number, Request>();
  const goOn = () => {
    if (requests.size === 0 || requests.size < present.size) return;
    const now = new Map(requests);
    requests.clear();
    void takeSteps(program, options, members, now);
  };
  return Array.from({ length: count }, (_, member) => ({
    run: (given) =>
      new Promise<TrainingState>((resolve, reject) => {
        const { from } = given;
        if (from === undefined)
          throw new InputError("missing from: a seat's run begins at a state");
        requests.set(member, { options: given, resolve, reject, state: from });
        goOn();
      }),
    leave() {
      present.delete(member);
      goOn();
    },
  }));
}

/** Take the steps that all requests ask for; those that stop early are answered at once. */
async function takeSteps(
  program: Program,
  options: StepOptions,
  members: number,
  requests: Map<number, Request>,
): Promise<void> {
  const answer = (member: number) => {
    const request = requests.get(member);
    requests.delete(member);
    request?.resolve(request.state);
  };
  const fail = (member: number, error: unknown) => {
    const request = requests.get(member);
    requests.delete(member);
    request?.reject(error);
  };
  const enough = new AbortController();
  const dropStopped = () => {
    for (const [member, { options: given }] of requests) {
      if (given.signal?.aborted) answer(member);
    }
    if (requests.size === 0) enough.abort();
  };
  try {
    const layOut = layOutRuns(options);
    const [example] = requests.values();
    if (example === undefined) return;
    const end = ({ options: { steps, until = steps } }: Request) => Math.min(until, steps);
    const until = end(example);
    for (const [member, request] of requests) {
      if (request.state.step === example.state.step && end(request) === until) continue;
      fail(
        member,
        new InputError(
          `invalid ensemble: steps ${request.state.step} to ${end(request)} and ${example.state.step} to ${until} (take runs together that stand at one step)`,
        ),
      );
    }
    const perSegment = stepsPerSegment(
      members * samplesPerStep(options.problem, options.batchSize ?? "full"),
    );
    dropStopped();
    for (let { step } = example.state; step < until && requests.size > 0;) {
      const count = Math.min(perSegment, until - step);
      const [stand] = requests.values();
      // Places that nobody sits in any more go on with what somebody else is given.
      const given = Array.from({ length: members }, (_, member) => {
        const { options: each, state } = (requests.get(member) ?? stand) as Request;
        const { method = options.method, seed = 0, steps } = each;
        return layOut(method, seed, steps, state, count);
      });
      const first = step;
      const types = given[0] as (typeof given)[number];
      const { steps } = await program.run({
        carry: sideBySide(
          given.map(({ carry }) => carry),
          types.carry,
        ),
        inputs: trainingInputs(options.problem),
        knobs: knobsSideBySide(
          given.map(({ knobs }) => knobs),
          trainingStep(options).knobs,
          count,
        ),
        steps: count,
        signal: enough.signal,
        async onChunk(chunk) {
          const now = first + chunk.step;
          for (const [member, request] of requests) {
            const carry = memberOf(chunk.carry, members, member, 0) as TrainingState["carry"];
            request.state = { step: now, carry };
            try {
              const records = toRecords(memberOf(chunk.records, members, member, 1), now);
              await request.options.onRecords?.(records, request.state);
            } catch (error) {
              fail(member, error);
            }
          }
          dropStopped();
        },
      });
      step += steps;
      if (steps < count) break;
    }
    for (const member of requests.keys()) answer(member);
  } catch (error) {
    for (const member of requests.keys()) fail(member, error);
  }
}

/** Trees of one structure as one, with an axis over them in front. */
function sideBySide(trees: readonly Tree<Tensor>[], like: Tree<TensorType>): Tree<Tensor> {
  const lists = trees.map((tree) => leavesOf(tree));
  return unflattenLike(
    like,
    leavesOf(like).map(({ dtype, shape }, i) => {
      const all = zeros([trees.length, ...shape], dtype);
      lists.forEach((list, m) => all.data.set((list[i] as Tensor).data, m * sizeOf(shape)));
      return all;
    }),
  );
}

/** Knobs side by side: [members, …] where all hold one value for all steps, else [count, members, …]. */
function knobsSideBySide(
  trees: readonly Tree<Tensor>[],
  types: Tree<TensorType>,
  count: number,
): Tree<Tensor> {
  const lists = trees.map((tree) => leavesOf(tree));
  return unflattenLike(
    types,
    leavesOf(typesOf(types)).map(({ dtype, shape }, i) => {
      const leaves = lists.map((list) => list[i] as Tensor);
      const size = sizeOf(shape);
      const varies = leaves.some((leaf) => leaf.shape.length > shape.length);
      const rows = varies ? count : 1;
      const all = zeros([...(varies ? [count] : []), trees.length, ...shape], dtype);
      leaves.forEach(({ data, shape: own }, m) => {
        const stride = own.length > shape.length ? size : 0;
        for (let row = 0; row < rows; row++) {
          const at = (row * trees.length + m) * size;
          for (let j = 0; j < size; j++) all.data[at + j] = data[row * stride + j] as number;
        }
      });
      return all;
    }),
  );
}

/**
 * One member's part of a tree with an axis over members, in place of that axis: a copy, so that it
 * begins where arrays begin. Kernels sum in another order elsewhere.
 */
function memberOf(tree: Tree<Tensor>, members: number, member: number, axis: 0 | 1): Tree<Tensor> {
  return mapTree(tree, ({ dtype, shape, data }) => {
    const rows = axis === 0 ? 1 : (shape[0] as number);
    const sides = shape.slice(axis + 1);
    const size = sizeOf(sides);
    const own = zeros([...shape.slice(0, axis), ...sides], dtype).data;
    for (let row = 0; row < rows; row++) {
      const at = (row * members + member) * size;
      for (let j = 0; j < size; j++) own[row * size + j] = data[at + j] as number;
    }
    return wrap(own, [...shape.slice(0, axis), ...sides], dtype);
  });
}
