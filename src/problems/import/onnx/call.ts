/** Calls of operators: a node with the values of its inputs, as the table of operators sees it. */
import { random, type np } from "../../../engine/jax-js.ts";
import { show } from "../../../engine/errors.ts";
import type { FloatType } from "../../problem.ts";
import type { OnnxNode } from "./graph.ts";
import { Known, numbersOf, toArray, type Value } from "./known.ts";

/** What an operator makes of its inputs: its results in order, or the only one. */
export type Operator = (call: Call) => Value | readonly (Value | undefined)[];

/** Operators by their ONNX names. */
export type Operators = Readonly<Record<string, Operator>>;

/** What a graph draws random numbers from. */
export interface RandomSource {
  /** A further jax-js random key; absent where nothing may be drawn. */
  next(): np.Array | undefined;
}

/** A node and its inputs. Errors thrown here and in operators are about the node. */
export class Call {
  readonly node: OnnxNode;
  readonly inputs: readonly (Value | undefined)[];
  readonly dtype: FloatType;
  readonly #random: RandomSource;

  constructor(
    node: OnnxNode,
    inputs: readonly (Value | undefined)[],
    dtype: FloatType,
    random: RandomSource,
  ) {
    this.node = node;
    this.inputs = inputs;
    this.dtype = dtype;
    this.#random = random;
  }

  /** Input i as a traced array: another reference to it, to be consumed or not. */
  array(i: number): np.Array {
    const value = this.optional(i);
    if (value === undefined) throw new TypeError(`input ${i} is missing`);
    return value;
  }

  /** {@link array}, of an input that may be left out. */
  optional(i: number): np.Array | undefined {
    const value = this.inputs[i];
    return value instanceof Known ? toArray(value, this.dtype) : value?.ref;
  }

  /** All inputs as traced arrays. */
  arrays(): np.Array[] {
    return this.inputs.map((_, i) => this.array(i));
  }

  shape(i: number): readonly number[] {
    const value = this.inputs[i];
    if (value === undefined) throw new TypeError(`input ${i} is missing`);
    return value.shape;
  }

  /** Input i, whose numbers must be known while tracing; `undefined` where it is left out. */
  known(i: number): Known | undefined {
    const value = this.inputs[i];
    if (value === undefined || value instanceof Known) return value;
    throw new TypeError(
      `input ${i} is computed from samples or parameters, where its numbers must be known beforehand`,
    );
  }

  /** Numbers of an input that must be known: a shape, axes. */
  numbers(i: number): number[] {
    const known = this.known(i);
    if (known === undefined) throw new TypeError(`input ${i} is missing`);
    return numbersOf(known);
  }

  /** Axes from an input, or from the attribute that older versions have. */
  axes(i: number): readonly number[] | undefined {
    const known = this.known(i);
    return known === undefined ? this.ints("axes") : numbersOf(known);
  }

  number(name: string, missing: number): number {
    const value = this.node.attributes.get(name) ?? missing;
    if (typeof value === "number") return value;
    throw new TypeError(`attribute ${name} is no number`);
  }

  /** A whole number; the same as {@link number}, by the name that known operations use. */
  int(name: string, missing: number): number {
    return this.number(name, missing);
  }

  ints(name: string): readonly number[] | undefined {
    const value = this.node.attributes.get(name);
    if (value === undefined) return undefined;
    if (Array.isArray(value)) return value as readonly number[];
    throw new TypeError(`attribute ${name} is no list`);
  }

  text(name: string, missing: string): string {
    const value = this.node.attributes.get(name) ?? missing;
    if (typeof value === "string") return value;
    throw new TypeError(`attribute ${name} is no text`);
  }

  /** Refuse an attribute that is not what operators here do. */
  expect(name: string, value: number | string): void {
    const given = this.node.attributes.get(name) ?? value;
    if (given !== value) throw new TypeError(`${name} ${show(given)} is not supported`);
  }

  /** Uniform random numbers in [0, 1); `undefined` where nothing may be drawn. */
  uniform(shape: readonly number[]): np.Array | undefined {
    const key = this.#random.next();
    return key && random.uniform(key, [...shape]);
  }
}
