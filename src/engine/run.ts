/** Runs of a program, as both engines do them: checked, cut into chunks, records stacked. */
import type { ProgramRun, ProgramResult, StepDefinition } from "./program.ts";
import {
  leavesOf,
  leavesWithPaths,
  printType,
  sizeOf,
  unflattenLike,
  zeros,
  type Tensor,
  type TensorType,
  type Tree,
} from "./tensor.ts";

/** Seconds of work per chunk: long enough to hide its cost, short enough to answer Ctrl-C. */
const chunkSeconds = 0.2;

/** Refuse carry, inputs or knobs that do not have the types the program was compiled for. */
export function checkRun(
  definition: Pick<StepDefinition, "carry" | "inputs" | "knobs">,
  options: ProgramRun,
): void {
  const { steps } = options;
  if (!Number.isInteger(steps) || steps < 0) {
    throw new RangeError(`invalid steps: ${steps} (give a whole number, 0 or more)`);
  }
  checkTypes("carry", definition.carry, options.carry);
  checkTypes("inputs", definition.inputs, options.inputs);
  checkTypes("knobs", definition.knobs, options.knobs, steps);
}

function checkTypes(
  part: string,
  expected: Tree<TensorType>,
  given: Tree<Tensor>,
  steps?: number,
): void {
  const wanted = leavesWithPaths(expected, part);
  const found = new Map(leavesWithPaths(given, part));
  for (const [path, { dtype, shape }] of wanted) {
    const value = found.get(path);
    if (value === undefined) throw new TypeError(`missing ${path}: the program needs this tensor`);
    const shapes = steps === undefined ? [shape] : [shape, [steps, ...shape]];
    const fits = shapes.some(
      (s) => String(s) === String(value.shape) && s.length === value.shape.length,
    );
    if (value.dtype !== dtype || !fits || value.data.length !== sizeOf(value.shape)) {
      throw new TypeError(
        `invalid ${path}: ${printType(value)} where the program was compiled for ${printType({ dtype, shape })}`,
      );
    }
    found.delete(path);
  }
  const [extra] = found.keys();
  if (extra !== undefined) throw new TypeError(`unknown ${extra}: the program has no such tensor`);
}

/** Runs `count` steps from step `first` on; `rows` holds one list of record leaves per step. */
type RunSteps = (
  first: number,
  count: number,
) => Promise<
  { carry: Tree<Tensor>; rows: Tensor[][] } | { carry: Tree<Tensor>; stacked: Tensor[] }
>;

/** The number of steps that fill a chunk; a program keeps it from one run to the next. */
export interface ChunkSize {
  steps: number;
}

/** Drive `runSteps` chunk by chunk until done or aborted. */
export async function runInChunks(
  recordTypes: Tree<TensorType>,
  options: ProgramRun,
  runSteps: RunSteps,
  size: ChunkSize = { steps: 1 },
): Promise<ProgramResult> {
  const types = leavesOf(recordTypes);
  const kept: Tensor[][] = [];
  let carry = options.carry;
  let done = 0;
  while (done < options.steps && !options.signal?.aborted) {
    const count = Math.min(options.chunk ?? size.steps, options.steps - done);
    const began = performance.now();
    const result = await runSteps(done, count);
    const seconds = (performance.now() - began) / 1000;
    carry = result.carry;
    done += count;
    const stacked = "stacked" in result ? result.stacked : stack(types, result.rows);
    if (options.onChunk) {
      const records = unflattenLike(recordTypes, stacked);
      await options.onChunk({ step: done, carry, records });
    } else {
      kept.push(stacked);
    }
    // At most fourfold per chunk: the first calls are slower than the rest.
    const fitting = Math.round((count * chunkSeconds) / Math.max(seconds, 1e-6));
    size.steps = Math.max(1, Math.min(count * 4, fitting));
  }
  const records = unflattenLike(recordTypes, concatenate(types, kept));
  return { carry, records, steps: done };
}

function stack(types: readonly TensorType[], rows: readonly Tensor[][]): Tensor[] {
  return types.map(({ dtype, shape }, i) => {
    const stacked = zeros([rows.length, ...shape], dtype);
    rows.forEach((row, r) => stacked.data.set((row[i] as Tensor).data, r * sizeOf(shape)));
    return stacked;
  });
}

/** Join chunks of stacked records along the step axis. */
function concatenate(types: readonly TensorType[], chunks: readonly Tensor[][]): Tensor[] {
  return types.map(({ dtype, shape }, i) => {
    const parts = chunks.map((chunk) => chunk[i] as Tensor);
    const steps = parts.reduce((sum, part) => sum + (part.shape[0] as number), 0);
    const joined = zeros([steps, ...shape], dtype);
    let offset = 0;
    for (const part of parts) {
      joined.data.set(part.data, offset);
      offset += part.data.length;
    }
    return joined;
  });
}
