/** The worker of the planes view: traces methods into code, searches and follows hallucinated points. */
import {
  basinCode,
  continueInRho,
  createScreen,
  planeDerivatives,
  refine,
  searchPlane,
  traceScene,
} from "lucid-sam/diagnostics";
import { InputError, pickOutputs, scalarGlsl, scalarJavaScript } from "lucid-sam/engine";
import { findProblem, type Plane, type Point, type Problem } from "lucid-sam/problems";
import type { RunSpec } from "lucid-sam/run";
import { createMethod, type Method } from "lucid-sam/sam";
import { mapOutputs, pathOutputs, type HallucinatedPoint, type PlaneRequests } from "./protocol.ts";
import { answerRequests } from "../shared/requests.ts";

/** The problem of a plane; planes learn no data. */
function problemOf(spec: RunSpec): Problem & { readonly plane: Plane } {
  const entry = findProblem(spec.problem);
  const options = { ...entry.options.parse(spec), dtype: "float64" as const };
  const { plane, ...problem } = entry.create(options, undefined);
  if (plane === undefined) throw new InputError(`invalid problem: ${spec.problem} is no plane`);
  return { ...problem, plane };
}

/** ρ as a number: what is searched and followed needs one. */
function radius({ rho }: RunSpec): number {
  if (typeof rho === "number" && rho > 0) return rho;
  throw new InputError(`invalid rho: ${rho ?? 0} (give a number above 0)`);
}

/** Whether a knob changes with the step. */
const hasSchedule = (knobs: Method["knobs"]): boolean =>
  Object.values(knobs).some(
    (knob) => typeof knob === "function" || (typeof knob === "object" && hasSchedule(knob)),
  );

/** Which eigenvalues of the Hessian are clearly negative: the smaller, the larger. */
const isNegative = (plane: Plane, x: Point): readonly [boolean, boolean] => {
  const [[a, b], [, d]] = plane.hessian(x);
  const [half, spread] = [(a + d) / 2, Math.hypot((a - d) / 2, b)];
  const small = 1e-6 * (Math.abs(half) + spread);
  return [half - spread < -small, half + spread < -small];
};

/** By inertia, a zero of g⁺ is for f(x⁺) what its x⁺ is for f. */
function kindOf(plane: Plane, ascentPoint: Point): HallucinatedPoint["kind"] {
  const [least, most] = isNegative(plane, ascentPoint);
  if (!least) return "hallucinated-minimizer";
  return most ? "hallucinated-maximizer" : "hallucinated-saddle";
}

const pair = (vector: ArrayLike<number>): Point => [vector[0] ?? NaN, vector[1] ?? NaN];

const answers: PlaneRequests = {
  async scene(spec) {
    let isScheduled = false;
    const settings = { ...spec.settings, ...(spec.rho !== undefined && { rho: spec.rho }) };
    const { f, knobs } = await traceScene({
      problem: problemOf(spec),
      method(outer) {
        const method = createMethod(spec.method, settings, outer);
        isScheduled = hasSchedule(method.knobs);
        return method;
      },
    });
    return {
      javaScript: scalarJavaScript(pickOutputs(f, pathOutputs)),
      mapJavaScript: scalarJavaScript(pickOutputs(f, mapOutputs)),
      glsl: scalarGlsl(pickOutputs(f, mapOutputs), "see"),
      basins: basinCode(f),
      knobs: Object.entries(knobs),
      isScheduled,
    };
  },

  async search(spec) {
    const { plane } = problemOf(spec);
    const found = await searchPlane({ plane, rho: radius(spec), resolution: 32 });
    return found.map(({ x, ascentPoint }) => ({
      point: pair(x),
      ascentPoint: pair(ascentPoint),
      kind: kindOf(plane, pair(ascentPoint)),
    }));
  },

  async follow(spec, point) {
    const { plane } = problemOf(spec);
    const rho = radius(spec);
    const f = planeDerivatives(plane);
    const { point: zero, converged } = await refine({ f, x: Float64Array.from(point), rho });
    if (!converged || zero.gradNorm < 1e-6) {
      throw new InputError(
        `missing hallucinated point: none is near (${point.map((x) => x.toPrecision(3)).join(", ")}) at ρ = ${rho} (go where SAM stops on a slope)`,
      );
    }
    const center = zero.ascentPoint;
    const [[left, right], [bottom, top]] = plane.domain;
    const most = Math.hypot(right - left, top - bottom);
    const branch = await continueInRho({ f, center, x: zero.x, rho, range: [0.01, most] });
    const plain = ({ x, rho }: { readonly x: ArrayLike<number>; readonly rho: number }) => ({
      x: pair(x),
      rho,
    });
    return {
      points: branch.points.map(plain),
      folds: branch.folds.map(plain),
      interval: [...branch.interval],
      center: pair(center),
    };
  },

  async screen(evidence) {
    const screen = createScreen({ dtype: "float64", engine: "generated" });
    return screen.push({ first: 0, count: evidence.loss.length, ...evidence });
  },
};

answerRequests<PlaneRequests>(({ name, given }) =>
  (answers[name] as (...given: readonly unknown[]) => Promise<unknown>)(...given),
);
