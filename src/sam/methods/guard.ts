/** Guards: keep a method off hallucinated points and saddle traps, using what it sees anyway. */
import { np } from "../../engine/jax-js.ts";
import { multiply, scalar, select, selectTree } from "../../engine/arrays.ts";
import { InputError } from "../../engine/errors.ts";
import type { ArrayTree } from "../../engine/program.ts";
import { scalarTensor, type Tensor, type Tree } from "../../engine/tensor.ts";
import { choice, number } from "../../settings/fields.ts";
import type { Knobs, Method, ProblemSize, StepContext } from "../contract/method.ts";
import { defineWrapper } from "../define.ts";
import { alignDetails } from "../parts/details.ts";
import { dtypeOf } from "../parts/outer.ts";
import { descend, method, plainEvidence } from "../parts/step.ts";
import {
  hasSettled,
  isBad,
  isSafe,
  isTooFar,
  updateWatch,
  mayGrow,
  restarted,
  watchBefore,
  watchDetails,
  type Watch,
} from "../parts/watch.ts";

/** How a method is watched. */
export interface WatchOptions {
  /** Steps from one look ahead to the next while the method is off. */
  readonly every?: number | undefined;
  /** Weight of the old averages, per look, in [0, 1). */
  readonly smoothing?: number | undefined;
}

const isOne = (flag: np.Array) => np.greater(flag.ref, scalar(0.5, flag));
const asNumber = (on: np.Array, like: np.Array) => select(on, scalar(1, like), scalar(0, like));

/** Steps of `inner` while it is on, plain steps and a look now and then while it is off. */
function watched({
  name,
  inner,
  act,
  resume,
  every,
  smoothing,
  on: startsOn,
}: {
  name: string;
  inner: Method;
  act: number;
  resume: number;
  every: number;
  smoothing: number;
  on: boolean;
}): Method {
  interface Memory {
    readonly inner: ArrayTree;
    readonly watch: Watch;
    /** 1 while the method is off. */
    readonly off: np.Array;
    /** Plain steps since the last look, an int32 scalar. */
    readonly age: np.Array;
  }
  const { outer } = inner;
  return method<Memory, Knobs>({
    name,
    knobs: inner.knobs,
    outer,
    ...(inner.random && { random: true }),
    init: (params: Tree<Tensor>, size: ProblemSize) => ({
      inner: inner.init(params, size),
      watch: watchBefore(params),
      off: scalarTensor(startsOn ? 0 : 1, dtypeOf(params)),
      age: scalarTensor(0, "int32"),
    }),
    step(context) {
      const { objective, params, memory } = context;
      const at = objective.lossAndGradient(params);
      const plain = descend(outer, at.gradient, context, {}, plainEvidence(at, params));
      const looks = np.less(memory.age.ref, 1);
      const { evidence, ...next } = objective.branch(
        looks,
        () => {
          const own = inner.step({ ...context, memory: memory.inner });
          const seen = updateWatch(memory.watch, own.evidence, smoothing);
          const wasOff = isOne(memory.off);
          const isReady = np.logicalAnd(isSafe(seen, resume), hasSettled(seen));
          const off = select(wasOff, np.logicalNot(isReady), isBad(seen, act));
          const turnsOff = np.logicalAnd(off.ref, np.logicalNot(wasOff));
          const watch = selectTree(turnsOff, restarted(seen), seen) as Watch;
          return {
            params: selectTree(off, plain.params, own.params),
            outerState: selectTree(off, plain.outerState, own.outerState),
            memory: { inner: own.memory, watch, off: asNumber(off, memory.off) },
            evidence: own.evidence,
          };
        },
        () => ({
          params: plain.params,
          outerState: plain.outerState,
          memory: { inner: memory.inner, watch: memory.watch, off: memory.off },
          evidence: plain.evidence,
        }),
        alignDetails,
      );
      const { off, watch } = next.memory;
      const older = np.add(memory.age.ref, 1);
      const isWaiting = np.logicalAnd(isOne(off), np.less(older.ref, every));
      return {
        params: next.params,
        outerState: next.outerState,
        memory: { ...next.memory, age: np.where(isWaiting, older, 0) },
        evidence: {
          ...evidence,
          details: { ...evidence.details, ...watchDetails(watch), intervened: off },
        },
      };
    },
  });
}

/** Steps of `inner` with a ρ that shrinks while the signal is bad and grows back after. */
function shrinking({
  inner,
  act,
  resume,
  smoothing,
}: {
  inner: Method;
  act: number;
  resume: number;
  smoothing: number;
}): Method {
  if (!("rho" in inner.knobs)) {
    throw new InputError(`invalid respond: shrink (${inner.name} has no ρ; give plain)`);
  }
  interface Memory {
    readonly inner: ArrayTree;
    readonly watch: Watch;
    /** Factor on ρ, in (0, 1]. */
    readonly factor: np.Array;
  }
  return method<Memory, Knobs>({
    name: `guarded ${inner.name}`,
    knobs: inner.knobs,
    outer: inner.outer,
    ...(inner.random && { random: true }),
    init: (params, size) => ({
      inner: inner.init(params, size),
      watch: watchBefore(params),
      factor: scalarTensor(1, dtypeOf(params)),
    }),
    step(context) {
      const { memory, knobs } = context;
      const { factor } = memory;
      const rho = multiply(knobs["rho"] as np.Array, factor);
      const own = inner.step({
        ...(context as unknown as StepContext<ArrayTree, Knobs>),
        memory: memory.inner,
        knobs: { ...knobs, rho },
      });
      const watch = updateWatch(memory.watch, own.evidence, smoothing);
      const constant = (value: number) => scalar(value, factor);
      const grown = np.minimum(multiply(factor, constant(1.01)), constant(1));
      const next = select(
        np.logicalOr(isBad(watch, act), isTooFar(watch)),
        multiply(factor, constant(0.5)),
        select(mayGrow(watch, resume), grown, factor),
      );
      const intervened = asNumber(np.less(factor.ref, constant(1)), factor);
      return {
        ...own,
        memory: { inner: own.memory, watch, factor: next },
        evidence: {
          ...own.evidence,
          details: {
            ...own.evidence.details,
            ...watchDetails(watch),
            intervened,
            shrunk: factor,
          },
        },
      };
    },
  });
}

const watching = {
  every: number(10, "steps from one look to the next while the method is off", {
    min: 1,
    integer: true,
  }),
  smoothing: number(0.8, "weight of the old averages of the signals, per look", {
    min: 0,
    below: 1,
  }),
};

/** When to switch a method on. */
export interface SafeRule extends WatchOptions {
  /** Least cos(g, g⁺). */
  readonly resume?: number | undefined;
}

/** What a switch by rule is given. */
export interface UntilSafeOptions extends SafeRule {
  /** The method to switch to. */
  readonly to: Method;
}

/**
 * Plain descent until looking ahead is safe, and `to` from then on: cos(g, g⁺) is `resume` or more
 * and no longer rising, and f does not bend down along the ascent.
 */
export const untilSafe = defineWrapper<UntilSafeOptions>({
  name: "auto-switching",
  aliases: ["auto-switch", "switch-when-safe"],
  title: "Plain descent until SAM is safe, then SAM",
  formula:
    "x ← outer(x, g) until cos(g,g⁺) ≥ 0.6, no longer rising, and ⟨u,g⁺⟩ ≥ 0.9‖g‖ on average;  then SAM, or `of`",
  state: "5 scalars, and that of the wrapped method",
  evaluations: "1 + 1/every before the switch, the wrapped method's after",
  hallucination: {
    possible: "conditional",
    why: "SAM waits until its gradient agrees with the true one; nothing watches afterwards",
  },
  options: {
    resume: number(
      0.6,
      "cos(g, g⁺) from which on the method is on, where f does not bend down along the ascent",
    ),
    ...watching,
  },
  citation: "ours, 2026",
  elsewhere: {},
  differences: ["In place of the fixed 10 % of Park et al. 2025, arXiv 2509.21818."],
  wraps: "sam",
  around: { to: (inner) => inner },
  build: ({ to, ...rule }) =>
    watched({ name: `gd to ${to.name}`, inner: to, act: -Infinity, ...rule, on: false }),
});

/** What a guard is given. */
export interface GuardOptions extends WatchOptions {
  readonly method: Method;
  /** Intervene when the agreement falls below this. */
  readonly act?: number | undefined;
  /** Stop intervening when the cosine is this or more and settled, and f does not bend down. */
  readonly resume?: number | undefined;
  /**
   * What to do: take plain steps until the signal recovers (`plain`), or look less far,
   * ρ ← ρ/2 per step, and let ρ grow back by 1 % per step (`shrink`).
   */
  readonly respond?: "plain" | "shrink" | undefined;
}

/**
 * `method` under guard: when the agreement cos(g, g⁺)·min(1, ‖g⁺‖/‖g‖) falls, a hallucinated point or
 * a saddle trap is near, and the guard acts until the signal is safe. While all is well steps are
 * the method's own and cost what they cost; during plain steps every k-th one looks ahead, by one
 * evaluation more. Details: `averageCosine` and `averageGradRatio`, what the guard goes by;
 * `intervened`, 1 in steps that are not the method's own; with `shrink` also `shrunk`, the factor on ρ.
 */
export const guarded = defineWrapper<GuardOptions>({
  name: "guarded",
  aliases: ["guard", "guarded-sam"],
  title: "SAM under guard",
  formula:
    "SAM, or `of`, while the running mean of cos(g,g⁺)·min(1,‖g⁺‖/‖g‖) is fine;  else x ← outer(x, g), or a smaller ρ",
  state: "4 or 5 scalars, and that of the wrapped method",
  evaluations: "the wrapped method's; 1 + 1/every while it intervenes with plain steps",
  hallucination: {
    possible: "conditional",
    why: "not at rest, where the agreement is 0 and it descends f itself; but with respond=plain it can, as SAM, step back and forth within ρ of a saddle",
  },
  options: {
    act: number(0.25, "intervene when cos(g, g⁺)·min(1, ‖g⁺‖/‖g‖) falls below this"),
    resume: number(
      0.6,
      "stop when cos(g, g⁺) is this or more and f does not bend down along the ascent",
    ),
    respond: choice(
      ["plain", "shrink"],
      "plain",
      "plain steps until the signal recovers, or a smaller ρ that grows back",
    ),
    ...watching,
  },
  citation: "ours, 2026",
  elsewhere: {},
  differences: [],
  wraps: "sam",
  around: { method: (inner) => inner },
  build({ method: inner, act, resume, every, smoothing, respond }) {
    if (!(act <= resume)) {
      throw new InputError(`invalid act: ${act} (give a number of at most resume, ${resume})`);
    }
    return respond === "plain"
      ? watched({ name: `guarded ${inner.name}`, inner, act, resume, every, smoothing, on: true })
      : shrinking({ inner, act, resume, smoothing });
  },
});
