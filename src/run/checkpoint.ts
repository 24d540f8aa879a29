/** Checkpoints: where a run stands, as bytes. Tensors of the carry by path, everything else as metadata. */
import { z } from "zod";
import type { ScreenState } from "../diagnostics/screen/screen.ts";
import { InputError } from "../engine/errors.ts";
import { readSafetensors, writeSafetensors } from "../engine/safetensors.ts";
import { leavesWithPaths, mapTree, type Tensor, type Tree } from "../engine/tensor.ts";
import { statisticsPrefix } from "../problems/import/match-model.ts";
import type { Model } from "../problems/problem.ts";
import type { TrainingState } from "../sam/training/state.ts";
import { scoresSchema, type Scores } from "./scores.ts";

/** All that a run needs to continue as if it had never stopped. */
export interface Checkpoint {
  readonly state: TrainingState;
  readonly screen: ScreenState;
  /** Gradient evaluations spent so far. */
  readonly evaluations: number;
  /** Time spent in steps so far, in seconds. */
  readonly seconds: number;
  /** All evaluations so far; absent where there were none. */
  readonly scores?: readonly Scores[] | undefined;
}

/** Our entry in the metadata. */
const savedSchema = z.object({
  step: z.int(),
  evaluations: z.number(),
  seconds: z.number(),
  screen: z.custom<ScreenState>((value) => typeof value === "object" && value !== null),
  metricsLength: z.int(),
  scores: scoresSchema.optional(),
});

/** @param metricsLength bytes of rows that were written when the run stood here. */
export function encodeCheckpoint(
  { state, ...rest }: Checkpoint,
  metricsLength: number,
): Uint8Array<ArrayBuffer> {
  const saved = { ...rest, step: state.step, metricsLength };
  return writeSafetensors(state.carry, { lucid: formatNumbers(saved) });
}

/**
 * A model: parameters by path and, where the problem keeps some, running statistics by path under
 * `statistics`. `matchModel` reads it back.
 */
export function encodeModel({ params, statistics }: Model): Uint8Array<ArrayBuffer> {
  const kept = leavesWithPaths(statistics, statisticsPrefix);
  if (kept.length === 0) return writeSafetensors(params);
  return writeSafetensors(Object.fromEntries([...leavesWithPaths(params), ...kept]));
}

/** A checkpoint as it was stored; its tensors find their places in the state of a run's start. */
export interface StoredCheckpoint {
  readonly metricsLength: number;
  /** Steps taken. */
  readonly step: number;
  readonly restore: (start: TrainingState) => Checkpoint;
}

/**
 * @param file what errors call the bytes.
 * @throws {InputError} when they are no checkpoint, or one of another run.
 */
export function decodeCheckpoint(bytes: Uint8Array, file: string): StoredCheckpoint {
  const { tensors, metadata } = readSafetensors(bytes, file);
  const { step, metricsLength, ...rest } = parseSaved(metadata["lucid"], file);
  return {
    metricsLength,
    step,
    restore: ({ carry }) => ({ ...rest, state: { step, carry: fill(carry, tensors, file) } }),
  };
}

function parseSaved(text: string | undefined, file: string): z.output<typeof savedSchema> {
  try {
    return savedSchema.parse(parseNumbers(text ?? ""));
  } catch (cause) {
    throw new InputError(`invalid file ${file}: not the checkpoint of a run`, { cause });
  }
}

/** A tree of the structure and types of `like`, with tensors found by path. */
function fill<T extends Tree<Tensor>>(
  like: T,
  tensors: { readonly [path: string]: Tensor },
  file: string,
): T {
  return mapTree<Tensor, Tensor>(like, ({ dtype, shape }, path) => {
    const found = tensors[path];
    if (found?.dtype !== dtype || String(found.shape) !== String(shape)) {
      throw new InputError(`invalid file ${file}: ${path} is missing or of another type`);
    }
    return found;
  }) as T;
}

const words: { readonly [word: string]: number } = { NaN, Infinity, "-Infinity": -Infinity };

/** JSON in which numbers that are not finite are words: diverged runs have them. */
const formatNumbers = (value: unknown): string =>
  JSON.stringify(value, (_, node: unknown) =>
    typeof node === "number" && !Number.isFinite(node) ? String(node) : node,
  );

const parseNumbers = (text: string): unknown =>
  JSON.parse(text, (_, node: unknown) =>
    typeof node === "string" && Object.hasOwn(words, node) ? words[node] : node,
  );
