/** A PyTorch model as `certify` sees one: derivatives and runs that a Python process computes. */
import type { Derivatives } from "../../diagnostics/point/derivatives.ts";
import type { Runner, Trace } from "../../diagnostics/certificate/nearby-runs.ts";
import type { Vector } from "../../diagnostics/algebra/vectors.ts";
import type { Mode } from "../../problems/problem.ts";
import type { Descending } from "../../sam/contract/method.ts";
import { startChild, type ChildOptions } from "./child.ts";

export interface RemoteOptions extends Omit<ChildOptions, "args"> {
  /** `evaluate` (default), or `train`: normalization by the statistics of all samples. */
  readonly mode?: Mode | undefined;
  /** Samples that are differentiated at once; default: all. Less memory, more time. */
  readonly atOnce?: number | undefined;
  /** Threads of PyTorch on the processor; default 2. */
  readonly threads?: number | undefined;
}

/** A user's model in its process. */
export interface RemoteModel {
  readonly f: Derivatives;
  /** The parameters that the file gives the model. */
  readonly x: Vector;
  /** Names and shapes of the parameters, in the order of `x`. */
  readonly names: readonly (readonly [name: string, shape: readonly number[]])[];
  /** Class of the model. */
  readonly model: string;
  readonly samples: number;
  /** Whether layers normalize by batch statistics, so that the mode matters. */
  readonly normalized: boolean;
  /** SAM with SGD, run in the process. */
  runner(rho: number, descending: Descending): Runner;
}

/** Points whose graphs the process keeps: x and x⁺. */
const slots = 2;

/**
 * Load the model of a user's file in a Python process. `f.dispose()` ends it.
 *
 * @throws {InputError | MachineError} see {@link startChild}.
 */
export async function remoteModel({
  mode = "evaluate",
  atOnce = 0,
  threads = 2,
  ...options
}: RemoteOptions): Promise<RemoteModel> {
  const args = [options.file, mode, String(atOnce), String(threads)];
  const child = startChild({ ...options, args });
  try {
    const { head, floats: x } = await child.hello();
    const dimension = x.length;
    const cost = { products: 0, gradients: 0 };
    /** Points that the process has, the last used one last. */
    const held: { readonly point: number; readonly x: Vector }[] = [];
    const pointOf = async (x: Vector): Promise<number> => {
      const at = held.findIndex((one) => isEqual(one.x, x));
      const [found] = at >= 0 ? held.splice(at, 1) : [];
      if (found !== undefined) {
        held.push(found);
        return found.point;
      }
      const { point = held.length } = held.length === slots ? (held.shift() ?? {}) : {};
      await child.ask({ op: "point", point }, x);
      held.push({ point, x: x.slice() });
      return point;
    };
    const f: Derivatives = {
      dimension,
      engine: `torch ${String(head["torch"])} on ${String(head["device"])}`,
      cost,
      async lossAndGradient(x) {
        cost.gradients++;
        const { floats } = await child.ask({ op: "gradient", point: await pointOf(x) });
        return { loss: floats[0] as number, gradient: floats.slice(1) };
      },
      async hessianTimes(x, v) {
        cost.products++;
        const { floats } = await child.ask({ op: "product", point: await pointOf(x) }, v);
        return floats;
      },
      async hessian(x) {
        cost.products += dimension;
        const { floats } = await child.ask({ op: "hessian", point: await pointOf(x) });
        return Array.from({ length: dimension }, (_, i) =>
          floats.slice(i * dimension, (i + 1) * dimension),
        );
      },
      dispose: () => child.close(),
    };
    return {
      f,
      x,
      names: head["names"] as RemoteModel["names"],
      model: String(head["model"]),
      samples: Number(head["samples"]),
      normalized: head["normalized"] === true,
      runner(rho, descending) {
        return async ({ learningRate: lr, steps }, from) => {
          const traces: Trace[] = [];
          for (const x of from) {
            const question = { op: "run", rho, lr, steps, ...descending };
            const { floats } = await child.ask(question, x);
            const column = (k: number) =>
              Array.from({ length: steps }, (_, step) => floats[4 * step + k] as number);
            traces.push({
              losses: column(0),
              gradNorms: column(1),
              shiftedGradNorms: column(2),
              cosines: column(3),
              end: floats.slice(4 * steps),
            });
          }
          return traces;
        };
      },
    };
  } catch (error) {
    await child.close();
    throw error;
  }
}

function isEqual(a: Vector, b: Vector): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}
