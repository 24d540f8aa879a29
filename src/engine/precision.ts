/**
 * Numbers in float64 steps: why 1e-5 beside a float64 array is 1e-5 here.
 *
 * jax-js (0.1.25) calls a plain number float32, weakly typed so that it yields to any array it
 * meets, and keeps it as a double until a trace writes it down: there it is rounded to float32,
 * and the mean of 49 ones in float64 becomes 0.9999999795. So while a float64 step is traced,
 * plain numbers are written down as the doubles they are. What was rounded before (an array of
 * fractions without a dtype) cannot be told from what was meant, and is refused where it meets
 * float64.
 */
import { numpy as np, type Jaxpr } from "@jax-js/jax";
import { jaxDType } from "./arrays.ts";
import { isRounded, shortest } from "./digits.ts";
import { InputError } from "./errors.ts";

/** Trace with plain numbers as doubles. `trace` is synchronous. */
export function keepingNumbers<T>(trace: () => T): T {
  const { prototype } = np.Array;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, "dataSync");
  if (descriptor === undefined) throw new Error("jax-js has no Array.dataSync any more");
  const read = descriptor.value as (this: np.Array) => ReturnType<np.Array["dataSync"]>;
  // A trace reads the numbers it closes over with `dataSync`. Converted by jax-js's own rule,
  // which a trace does not see, they are read as doubles.
  // oxlint-disable-next-line no-underscore-dangle -- its name there
  const { cast } = np.Array._implRules();
  prototype.dataSync = function (this: np.Array) {
    const isNumber = this.dtype === jaxDType.float32 && this.ndim === 0;
    const [wide] = isNumber ? cast([this], { dtype: jaxDType.float64 }) : [];
    return read.call(wide ?? this);
  };
  // `jit` keeps what it traced by the types of its arguments as JSON: these get entries of their own.
  const example = np.array(0);
  const types = Object.getPrototypeOf(example.aval) as object;
  example.dispose();
  Object.defineProperty(types, "toJSON", {
    configurable: true,
    value(this: object) {
      return { ...this, numbers: "float64" };
    },
  });
  try {
    return trace();
  } finally {
    Reflect.deleteProperty(types, "toJSON");
    Object.defineProperty(prototype, "dataSync", descriptor);
  }
}

type Atom = Jaxpr["outs"][number];
type Literal = Extract<Atom, { value: unknown }>;

/** Whether any value of a jaxpr is float64. */
export const usesFloat64 = ({ inBinders, eqns, outs }: Jaxpr): boolean =>
  [inBinders, outs, ...eqns.map(({ outBinders }) => outBinders)].flat().some(isFloat64);

/** What a value would be as float32, its nominal type. */
interface Value {
  /**
   * - `exact`: the number that was meant, 3 or 0.5. Integers and booleans are, too.
   * - `given`: data of the step in float32, random, or converted on purpose: that is its precision.
   * - `rounded`: another number was meant.
   */
  readonly origin: "exact" | "given" | "rounded";
  /** Whether it is made of plain numbers alone, so that it need not be float32. */
  readonly isNumber?: boolean | undefined;
  /** The first number that float32 does not hold among those that it descends from. */
  readonly number?: number | undefined;
}

/** Operations that do not round short numbers: views, choices, sums and products of whole ones. */
const exactOperations = new Set(
  (
    "add mul neg min max where cast reduce stop_gradient reshape transpose broadcast flip " +
    "shrink pad concatenate split gather scatter sort pool pool_transpose dot conv"
  ).split(" "),
);

const isFloat32 = ({ aval }: Atom) => aval.dtype === jaxDType.float32;
const isFloat64 = ({ aval }: Atom) => aval.dtype === jaxDType.float64;
const isBoolean = ({ aval }: Atom) => aval.dtype === jaxDType.bool;

/**
 * The values of a float64 jaxpr that are float32 by name and must be held as doubles: plain
 * numbers that float32 does not hold, and what is made of plain numbers alone.
 *
 * @throws {InputError} when another rounded number meets float64; it names the operation, the
 * number, and what to write instead.
 */
export function doublesOf(
  { inBinders, eqns }: Jaxpr,
  constants: readonly { readonly data: ArrayLike<number> | undefined }[],
): Set<Atom> {
  const doubles = new Set<Atom>();
  const values = new Map<Atom, Value>();
  inBinders.forEach((variable, i) => {
    const isArgument = i >= constants.length;
    const number = isArgument ? undefined : Array.from(constants[i]?.data ?? []).find(isRounded);
    if (!isFloat32(variable)) values.set(variable, { origin: "exact" });
    else if (isArgument) values.set(variable, { origin: "given" });
    else values.set(variable, { origin: number === undefined ? "exact" : "rounded", number });
  });
  const valueOf = (atom: Atom): Value => {
    if (isFloat64(atom)) return { origin: "given" };
    return "value" in atom ? literal(atom) : (values.get(atom) ?? { origin: "exact" });
  };
  for (const { primitive, inputs, outBinders } of eqns) {
    const meetsFloat64 = [...outBinders, ...inputs].some(isFloat64);
    for (const atom of inputs) {
      const { origin, isNumber, number } = valueOf(atom);
      if (origin !== "rounded" || !isFloat32(atom)) continue;
      if (isNumber) doubles.add(atom);
      else if (meetsFloat64) throw refusal(primitive, number);
    }
    const result = combine(primitive, inputs.filter((atom) => !isBoolean(atom)).map(valueOf));
    for (const variable of outBinders) {
      // A choice between numbers is theirs, whoever made it.
      values.set(variable, isBoolean(variable) ? { origin: "exact" } : result);
      if (result.isNumber && result.origin === "rounded" && isFloat32(variable)) {
        doubles.add(variable);
      }
    }
  }
  return doubles;
}

function literal(atom: Literal): Value {
  const { value, aval } = atom;
  if (!isFloat32(atom)) return { origin: "exact" };
  const isHeld = Math.fround(value) === value || Number.isNaN(value);
  if (!isHeld) return { origin: "rounded", isNumber: true, number: value };
  // Plain numbers are kept, but a scalar array may hold anything.
  if (!aval.weakType && isRounded(value)) return { origin: "rounded", number: value };
  return { origin: "exact", isNumber: true };
}

/** What an operation makes of values; conditions apart. */
function combine(primitive: string, inputs: readonly Value[]): Value {
  const isRandom = primitive === "random_bits" || primitive === "bitcast";
  if (isRandom || inputs.some(({ origin }) => origin === "given")) return { origin: "given" };
  const isNumber =
    primitive !== "cast" && inputs.length > 0 && inputs.every((value) => value.isNumber);
  const rounded = inputs.find(({ origin }) => origin === "rounded");
  if (rounded !== undefined) return { origin: "rounded", isNumber, number: rounded.number };
  return { origin: exactOperations.has(primitive) ? "exact" : "rounded", isNumber };
}

function refusal(primitive: string, number: number | undefined): InputError {
  if (number === undefined) {
    return new InputError(
      `invalid step: "${primitive}" takes a value that was computed in float32 to float64 (convert with astype before computing, or use scalar(…))`,
    );
  }
  const written = shortest(number);
  return new InputError(
    `invalid number ${written} in "${primitive}": it was rounded to float32, ${Math.fround(number)}, before it met float64 (write scalar(${written}, x), or give its array a dtype)`,
  );
}
