/** Imported networks: a folder that lucid_sam.export wrote, as a problem like any other. */
import { np, random } from "../../../engine/jax-js.ts";
import { excerpt, InputError } from "../../../engine/errors.ts";
import { leaves } from "../../../engine/arrays.ts";
import type { ArrayTree } from "../../../engine/program.ts";
import { readSafetensors } from "../../../engine/safetensors.ts";
import { printType, sizeOf, type DType, type Tensor, type Tree } from "../../../engine/tensor.ts";
import { checkProblem } from "../../check.ts";
import { castTree } from "../../float64.ts";
import { isRight } from "../../networks/classification.ts";
import { roleByName, type FloatType, type Model, type Problem, type Split } from "../../problem.ts";
import type { RandomSource } from "./call.ts";
import { checkOperators, evaluate } from "./evaluate.ts";
import { importFiles } from "./files.ts";
import { readGraph, type OnnxGraph } from "./graph.ts";
import { Known, type ElementKind, type Value } from "./known.ts";

/** Contents of {@link importFiles}; `train` may be absent. */
export type ImportContents = {
  readonly [File in keyof typeof importFiles]: File extends "train"
    ? Uint8Array | undefined
    : Uint8Array;
};

/** The two lines that write what is read here. */
export const exportLines =
  "from lucid_sam.export import export; export(model, loss, x, y, 'folder')";

/**
 * The problem that `lucid_sam.export` wrote into a folder. Parameters are called as in PyTorch, with
 * `/` for `.`; training begins at the exported point, whatever the seed. Floating-point buffers are
 * running statistics; integers and booleans are constants of the graph.
 *
 * @param folder what messages call it.
 * @throws {InputError} in one line, when a file is damaged, is none of such an export, or they do not
 *   fit each other.
 */
export function importedProblem(
  contents: ImportContents,
  folder: string,
  dtype: FloatType,
): Problem {
  const called = (file: keyof typeof importFiles) => `${folder}/${importFiles[file]}`;
  const graphs = {
    evaluate: readTrainingGraph(contents.loss, called("loss")),
    train: contents.train && readTrainingGraph(contents.train, called("train")),
  };
  const point = readPoint(contents.point, called("point"));
  const samples = readSamples(contents.batch, called("batch"));
  checkInputs(graphs.evaluate, called("loss"), point, samples);
  if (graphs.train) checkInputs(graphs.train, called("train"), point, samples);
  const exported = exportedSize(graphs.evaluate, samples) ?? exportedSize(graphs.train, samples);
  const { train, test = train } = samples;
  for (const { size } of [train, test]) {
    if (exported === undefined || size === exported) continue;
    throw new InputError(
      `invalid ${called("batch")}: ${size} samples, but the loss was exported for exactly ${exported} (export without test samples)`,
    );
  }

  const cast = <T extends Tree<Tensor>>(tree: T) => castTree(tree, dtype);
  const ofSplit = ({ batch, size }: Split): Split => ({ batch: cast(batch), size });
  const names = Object.keys(point.statistics);
  // Integers, such as the edges of a graph, are known while a step is traced.
  const floats = pickBy(samples.constants, isFloat);
  const indices = Object.entries(pickBy(samples.constants, (leaf) => !isFloat(leaf)));
  const known = [
    ...point.known,
    ...indices.map(([name, leaf]) => [`constant.${name}`, toKnown(leaf)] as const),
  ];
  const outputs = outputsOf(graphs.evaluate, samples.train);
  const problem: Problem = {
    name: folder,
    dtype,
    train: ofSplit(samples.train),
    test: samples.test && ofSplit(samples.test),
    role: roleByName,
    init: () => cast(point.params),
    ...(names.length > 0 && { initStatistics: () => cast(point.statistics) }),
    // What means samples by their place, or takes so many samples, is never divided.
    constants:
      exported !== undefined || Object.keys(samples.constants).length > 0
        ? cast(floats)
        : undefined,
    random: graphs.train?.nodes.some(({ op }) => op === "Dropout"),
    toTorch: (model) => torchState(point, model),
    ...(outputs.count !== undefined && { outputs: outputs.count }),
    ...(outputs.areClasses && {
      score: (logits: np.Array, batch) => isRight(logits, (batch as { y: np.Array }).y),
    }),
    forward(params, batch, { mode, key, statistics = {}, constants = {} }) {
      const isTraining = mode === "train" && graphs.train !== undefined;
      const graph = (isTraining && graphs.train) || graphs.evaluate;
      const [leaf] = leaves(params);
      const [sample] = leaves(batch);
      const size = sample?.shape[0] ?? 0;
      if (exported !== undefined && size !== exported) {
        throw new InputError(
          `invalid batch: ${size} samples, but ${folder} was exported for exactly ${exported} (give batch full)`,
        );
      }
      const feeds = new Map<string, Value>([
        ...known,
        ...named("param.", params),
        ...named("buffer.", statistics),
        ...named("constant.", constants),
        ...named("", batch),
      ]);
      const wanted = ["losses", ...(outputs.exist ? ["outputs"] : [])];
      const results = evaluate(graph, feeds, [...wanted, ...names.map(nextName)], {
        // A copy of the problem in float64 hands over parameters in float64.
        dtype: leaf?.dtype === np.float64 ? "float64" : "float32",
        random: keysFrom(mode === "train" ? key : undefined),
        name: called(isTraining ? "train" : "loss"),
      });
      const [losses, seen] = results;
      if (String(losses?.shape) !== String([size]) || (outputs.exist && seen?.shape[0] !== size)) {
        throw new InputError(
          `invalid ${called(isTraining ? "train" : "loss")}: losses of shape [${losses?.shape.join(", ")}] for ${size} samples (give one per sample)`,
        );
      }
      const next = results.slice(wanted.length);
      return {
        losses: losses as np.Array,
        ...(outputs.exist && seen && { outputs: seen }),
        ...(names.length > 0 && {
          statistics: Object.fromEntries(names.map((name, i) => [name, next[i] as np.Array])),
        }),
      };
    },
  };
  checkProblem(problem);
  return problem;
}

const isFloat = ({ dtype }: Tensor) => dtype.startsWith("float");

const pickBy = (tensors: Flat, isWanted: (leaf: Tensor) => boolean): Flat =>
  Object.fromEntries(Object.entries(tensors).filter(([, leaf]) => isWanted(leaf)));

const toKnown = ({ dtype, shape, data }: Tensor): Known =>
  new Known(dtype === "bool" ? "bool" : "int", shape, data);

/** `bn1/weight` as PyTorch has it: `bn1.weight`. */
const dotted = (path: string) => path.replaceAll("/", ".");
const slashed = (name: string) => name.replaceAll(".", "/");
const nextName = (path: string) => `next.${dotted(path)}`;

/** Leaves of a flat tree by the names of a graph's inputs. */
const named = (prefix: string, tree: ArrayTree): [string, np.Array][] =>
  Object.entries(tree as { [path: string]: np.Array }).map(([path, leaf]) => [
    prefix === "" || prefix === "constant." ? `${prefix}${path}` : `${prefix}${dotted(path)}`,
    leaf,
  ]);

/** A key for every draw, each split off what is left. */
function keysFrom(key: np.Array | undefined): RandomSource {
  let left = key;
  return {
    next() {
      if (left === undefined) return undefined;
      const pair = random.split(left, 2);
      left = pair.ref.slice(0);
      return pair.slice(1);
    },
  };
}

/**
 * A graph whose parameters are inputs and whose result are losses.
 *
 * @throws {InputError} for what is an inference model, with the way to make a right one.
 */
export function readTrainingGraph(bytes: Uint8Array, file: string): OnnxGraph {
  const graph = readGraph(bytes, file);
  const { inputs, outputs } = graph;
  if (!inputs.some(({ name }) => name.startsWith("param."))) {
    const names = inputs.map(({ name }) => name).join(", ") || "nothing";
    throw new InputError(
      `invalid file ${file}: an inference model of ${excerpt(names)} alone; its parameters are constants, folded and merged, and it has no loss (in Python: ${exportLines})`,
    );
  }
  if (!outputs.some(({ name }) => name === "losses")) {
    throw new InputError(
      `invalid file ${file}: it has no output "losses" (in Python: ${exportLines})`,
    );
  }
  checkOperators(graph, file);
  return graph;
}

/** Parameters and buffers as they were exported. */
interface ImportedPoint {
  readonly file: string;
  readonly params: { [path: string]: Tensor };
  /** Buffers of floating-point numbers. */
  readonly statistics: { [path: string]: Tensor };
  /** Other buffers, by the names of inputs. */
  readonly known: ReadonlyMap<string, Known>;
  /** All tensors by PyTorch's names. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Names in PyTorch's state_dict, and the tensor that each one means. */
  readonly state: ReadonlyMap<string, string>;
}

function readPoint(bytes: Uint8Array, file: string): ImportedPoint {
  const { tensors, metadata } = readSafetensors(bytes, file);
  const parts = { params: {} as Flat, statistics: {} as Flat };
  const known = new Map<string, Known>();
  const byName = new Map<string, Tensor>();
  for (const [key, leaf] of Object.entries(tensors)) {
    const [, kind, name] = /^(param|buffer)\.(.+)$/.exec(key) ?? [];
    if (kind === undefined || name === undefined) {
      throw new InputError(`unknown ${excerpt(key)} in ${file}: neither param.… nor buffer.…`);
    }
    const wrong = leaf.data.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0 && kind === "param") {
      throw new InputError(
        `invalid ${excerpt(key)} in ${file}: element ${wrong} is ${leaf.data[wrong]} (give finite numbers)`,
      );
    }
    byName.set(name, leaf);
    if (kind === "param" && !isFloat(leaf)) {
      throw new InputError(`invalid ${excerpt(key)} in ${file}: dtype ${leaf.dtype} (give floats)`);
    }
    if (kind === "param") parts.params[slashed(name)] = leaf;
    else if (isFloat(leaf)) parts.statistics[slashed(name)] = leaf;
    else known.set(key, toKnown(leaf));
  }
  return {
    file,
    ...parts,
    known,
    tensors: byName,
    state: readState(metadata["state"], byName, file),
  };
}

type Flat = { [path: string]: Tensor };

/** Names of a state_dict from the metadata; without them, those of all tensors. */
function readState(
  text: string | undefined,
  tensors: ReadonlyMap<string, Tensor>,
  file: string,
): ReadonlyMap<string, string> {
  if (text === undefined) return new Map(Array.from(tensors.keys(), (name) => [name, name]));
  const refuse = () =>
    new InputError(`invalid file ${file}: its "state" does not name its tensors`);
  let state: unknown;
  try {
    state = JSON.parse(text);
  } catch {
    throw refuse();
  }
  if (typeof state !== "object" || state === null) throw refuse();
  const names = Object.entries(state) as [string, unknown][];
  return new Map(
    names.map(([name, of]) => {
      if (typeof of !== "string" || !tensors.has(of)) throw refuse();
      return [name, of];
    }),
  );
}

/** A model by the names of PyTorch's state_dict. */
function torchState({ state, tensors }: ImportedPoint, model: Model): Record<string, Tensor> {
  const trained = { ...(model.params as Flat), ...(model.statistics as Flat) };
  return Object.fromEntries(
    Array.from(state, ([name, of]) => {
      const path = slashed(of);
      const leaf = Object.hasOwn(trained, path) ? trained[path] : tensors.get(of);
      return [name, leaf as Tensor];
    }),
  );
}

interface FlatSplit extends Split {
  readonly batch: Flat;
}

interface ImportedSamples {
  readonly file: string;
  readonly train: FlatSplit;
  readonly test?: FlatSplit | undefined;
  readonly constants: Flat;
}

function readSamples(bytes: Uint8Array, file: string): ImportedSamples {
  const { tensors } = readSafetensors(bytes, file);
  const part = (prefix: string): Flat =>
    Object.fromEntries(
      Object.entries(tensors).flatMap(([name, leaf]) => {
        const isPrefixed = /^(test|constant)\./.test(name);
        if (prefix === "") return isPrefixed ? [] : [[name, leaf]];
        return name.startsWith(prefix) ? [[name.slice(prefix.length), leaf]] : [];
      }),
    );
  const split = (batch: Flat) => ({ batch, size: Object.values(batch)[0]?.shape[0] ?? 0 });
  const [train, test] = [part(""), part("test.")];
  if (Object.keys(train).length === 0) throw new InputError(`missing x and y in ${file}`);
  return {
    file,
    train: split(train),
    test: Object.keys(test).length > 0 ? split(test) : undefined,
    constants: part("constant."),
  };
}

const kinds: Readonly<Record<DType, readonly ElementKind[]>> = {
  float32: ["float"],
  float64: ["float"],
  int32: ["int"],
  uint32: ["int"],
  // Bytes reach a forward pass as floats.
  uint8: ["int", "float"],
  bool: ["bool"],
};

/** Every input of a graph has its tensor, of its type, and every tensor its input. */
function checkInputs(
  graph: OnnxGraph,
  file: string,
  point: ImportedPoint,
  samples: ImportedSamples,
): void {
  const given = new Map<string, { readonly leaf: Tensor; readonly at: string }>();
  const put = (prefix: string, tensors: Iterable<readonly [string, Tensor]>, at: string) => {
    for (const [name, leaf] of tensors) given.set(`${prefix}${name}`, { leaf, at });
  };
  const isParameter = (name: string) => Object.hasOwn(point.params, slashed(name));
  for (const [name, leaf] of point.tensors) {
    put(isParameter(name) ? "param." : "buffer.", [[name, leaf]], point.file);
  }
  put("constant.", Object.entries(samples.constants), samples.file);
  put("", Object.entries(samples.train.batch), samples.file);
  for (const { name, kind, shape } of graph.inputs) {
    const found = given.get(name);
    if (found === undefined) {
      const where = /^(param|buffer)\./.test(name) ? point.file : samples.file;
      throw new InputError(`missing ${excerpt(name)} in ${where}: ${file} takes it`);
    }
    given.delete(name);
    const { leaf, at } = found;
    const isSample = name in samples.train.batch;
    const fits =
      leaf.shape.length === shape.length &&
      shape.every(
        (side, axis) => side === undefined || side === leaf.shape[axis] || (isSample && axis === 0),
      );
    if (!fits || !kinds[leaf.dtype].includes(kind)) {
      const sides = shape.map((side) => side ?? "any").join(", ");
      throw new InputError(
        `invalid ${excerpt(name)} in ${at}: ${printType(leaf)}, but ${file} takes ${kind}[${sides}]`,
      );
    }
  }
  const [left] = given;
  if (left !== undefined) {
    throw new InputError(`unknown ${excerpt(left[0])} in ${left[1].at}: ${file} does not take it`);
  }
  const missing = Object.keys(point.statistics).find(
    (path) => !graph.outputs.some(({ name }) => name === nextName(path)),
  );
  if (missing !== undefined) {
    throw new InputError(`missing output ${nextName(missing)} in ${file} (export it anew)`);
  }
}

/** The number of samples that a graph takes, where it takes no other. */
function exportedSize(
  graph: OnnxGraph | undefined,
  { train }: ImportedSamples,
): number | undefined {
  return graph?.inputs
    .filter(({ name }) => name in train.batch)
    .find(({ shape }) => shape[0] !== undefined)?.shape[0];
}

/** What is known of the outputs: numbers per sample, and whether one is to be the largest. */
function outputsOf({ outputs }: OnnxGraph, { batch }: FlatSplit) {
  const found = outputs.find(({ name }) => name === "outputs");
  const sides = found?.shape.slice(1);
  const count = sides?.every((side) => side !== undefined) ? sizeOf(sides) : undefined;
  const { y } = batch;
  const areClasses =
    sides?.length === 1 && count !== undefined && y?.dtype === "int32" && y.shape.length === 1;
  return { exist: found !== undefined, count, areClasses };
}
