/** The search for hallucinated points around a critical point: constrained minimization on a sphere. */
import type { Derivatives } from "../point/derivatives.ts";
import { minres } from "../algebra/minres.ts";
import {
  addTo,
  along,
  distance,
  dot,
  minus,
  norm,
  randomUnit,
  scaled,
  unit,
} from "../algebra/vectors.ts";
import type { Operator, Vector } from "../algebra/vectors.ts";

/** The center, the radius, and how many starts. */
export interface SphereOptions {
  readonly f: Derivatives;
  /** A critical point c of f. */
  readonly center: Vector;
  /** Radius of the sphere: the ρ of SAM. */
  readonly rho: number;
  /** Random starts on the sphere; default 16. */
  readonly starts?: number | undefined;
  /** Points to start from besides, moved to the sphere along their ray from the center. */
  readonly from?: readonly Vector[];
  /** Descent steps per start; default 500. */
  readonly maxSteps?: number | undefined;
  /** Newton steps at most after the descent; default 12. */
  readonly newtonSteps?: number;
  /** Hessian-vector products per Newton step at most; default 200. */
  readonly maxProducts?: number;
  /** Angle between g and the radius at which a point counts as found; default 1e-10. */
  readonly tolerance?: number;
  /** Default 0. */
  readonly seed?: number | undefined;
  readonly onProgress?: (start: number, of: number) => void;
}

/** A constrained critical point on the sphere, reached by descent. */
export interface SpherePoint {
  readonly x: Vector;
  readonly loss: number;
  readonly gradNorm: number;
  /** Sine of the angle between g and the radius: how far from critical. */
  readonly angle: number;
  readonly converged: boolean;
  /** Whether f decreases outward: then and only then x⁺ is the center. */
  readonly inward: boolean;
  /** How many starts ended here. */
  readonly hits: number;
}

/** What a search found. */
export interface SphereSearch {
  /** Distinct points found, lowest loss first. */
  readonly points: readonly SpherePoint[];
  /** Those whose ascent point is the center. */
  readonly hallucinated: readonly SpherePoint[];
  readonly starts: number;
}

/**
 * The points with x⁺ = c are the critical points of f on the sphere ‖x − c‖ = ρ at which f
 * decreases outward, and there M restricted to the tangent space is ρ/‖g‖ times the constrained
 * Hessian. So constrained *minima* with inward gradient are where SAM may be drawn to: they are
 * sought by descent from many starts, then polished by Newton's method.
 */
export async function searchSphere({
  f,
  center,
  rho,
  starts = 16,
  from = [],
  maxSteps = 500,
  newtonSteps = 12,
  maxProducts = 200,
  tolerance = 1e-10,
  seed = 0,
  onProgress,
}: SphereOptions): Promise<SphereSearch> {
  const sphere = sphereAround(f, center, rho);
  const directions = [
    ...from.map((x) => unit(minus(x, center))),
    ...Array.from({ length: starts }, (_, i) => randomUnit(f.dimension, seed, "sphere", String(i))),
  ];
  const points: SpherePoint[] = [];
  for (const [i, direction] of directions.entries()) {
    onProgress?.(i, directions.length);
    const low = await descend(sphere, along(center, rho, direction), maxSteps);
    const place = await newton(sphere, low, newtonSteps, maxProducts, tolerance);
    const known = points.findIndex(({ x }) => distance(x, place.x) <= 1e-6 * rho);
    const before = points[known];
    if (before) points[known] = { ...before, hits: before.hits + 1 };
    else {
      points.push({
        x: place.x,
        loss: place.loss,
        gradNorm: norm(place.gradient),
        angle: angleOf(place),
        converged: angleOf(place) <= tolerance,
        inward: place.radial < 0,
        hits: 1,
      });
    }
  }
  points.sort((a, b) => a.loss - b.loss);
  return {
    points,
    hallucinated: points.filter(({ inward, converged }) => inward && converged),
    starts: directions.length,
  };
}

/** f at a point of the sphere, split along the radius and across it. */
interface Place {
  readonly x: Vector;
  /** (x − c)/ρ. */
  readonly normal: Vector;
  readonly loss: number;
  readonly gradient: Vector;
  /** ⟨g, n⟩. */
  readonly radial: number;
  /** g − ⟨g, n⟩ n, the gradient of f on the sphere. */
  readonly tangential: Vector;
}

interface Sphere {
  readonly radius: number;
  /** Evaluate at the point of the sphere on the ray from the center to x. */
  at(x: Vector): Promise<Place>;
  /** Constrained Hessian at a place, on its tangent space: P H P − ⟨g, n⟩/ρ. */
  hessianAt(place: Place): Operator;
}

function sphereAround(f: Derivatives, center: Vector, radius: number): Sphere {
  return {
    radius,
    async at(given) {
      const normal = unit(minus(given, center));
      const x = along(center, radius, normal);
      const { loss, gradient } = await f.lossAndGradient(x);
      const radial = dot(gradient, normal);
      return { x, normal, loss, gradient, radial, tangential: along(gradient, -radial, normal) };
    },
    hessianAt({ x, normal, radial }) {
      return async (v) => {
        const image = project(await f.hessianTimes(x, project(v.slice(), normal)), normal);
        addTo(image, -radial / radius, v);
        return image;
      };
    },
  };
}

/** Remove the component along the normal, in place. */
function project(v: Vector, normal: Vector): Vector {
  addTo(v, -dot(normal, v), normal);
  return v;
}

const angleOf = ({ tangential, gradient }: Place): number =>
  norm(gradient) === 0 ? 1 : norm(tangential) / norm(gradient);

/** Pairs of steps and gradient changes that the descent remembers. */
const memory = 10;
/** Angle from which on Newton's method takes over: differences of losses soon round to nothing. */
const closeEnough = 1e-5;

/**
 * L-BFGS on the sphere: directions live in the tangent space, remembered pairs are projected into
 * each new one, steps go along the ray   (Nocedal 1980; Huang, Absil & Gallivan 2015).
 */
async function descend(sphere: Sphere, start: Vector, maxSteps: number): Promise<Place> {
  let place = await sphere.at(start);
  let pairs: { s: Vector; y: Vector }[] = [];
  for (let step = 0; step < maxSteps && angleOf(place) > closeEnough; step++) {
    let direction = scaled(-1, twoLoops(place.tangential, pairs));
    if (!(dot(direction, place.tangential) < 0)) {
      pairs = [];
      direction = scaled(-1, place.tangential);
    }
    // Without curvature to go by, the first step turns a tenth of a radian at most.
    const longest = (pairs.length === 0 ? 0.1 : 0.5) * sphere.radius;
    const next = await lineSearch(sphere, place, direction, longest);
    if (next === undefined) {
      if (pairs.length === 0) break;
      pairs = [];
      continue;
    }
    const { normal } = next;
    const s = project(minus(next.x, place.x), normal);
    const y = minus(next.tangential, project(place.tangential.slice(), normal));
    pairs = [...pairs, { s, y }]
      .map((pair) => ({ s: project(pair.s, normal), y: project(pair.y, normal) }))
      .filter((pair) => dot(pair.s, pair.y) > 1e-12 * norm(pair.s) * norm(pair.y))
      .slice(-memory);
    const fall = place.loss - next.loss;
    place = next;
    if (fall <= 1e-14 * Math.abs(place.loss)) break;
  }
  return place;
}

/** The inverse Hessian approximation times g. */
function twoLoops(gradient: Vector, pairs: readonly { s: Vector; y: Vector }[]): Vector {
  const q = gradient.slice();
  const weights = pairs.toReversed().map(({ s, y }) => {
    const weight = dot(s, q) / dot(s, y);
    addTo(q, -weight, y);
    return weight;
  });
  const last = pairs.at(-1);
  const r = last ? scaled(dot(last.s, last.y) / dot(last.y, last.y), q) : q;
  pairs.forEach(({ s, y }, i) => {
    const weight = weights[pairs.length - 1 - i] as number;
    addTo(r, weight - dot(y, r) / dot(s, y), s);
  });
  return r;
}

/** Backtrack until the loss falls enough   (Armijo 1966); `undefined` when it does not. */
async function lineSearch(sphere: Sphere, place: Place, direction: Vector, longest: number) {
  const slope = dot(direction, place.tangential);
  let t = Math.min(1, longest / norm(direction));
  for (let halving = 0; halving < 30; halving++, t /= 2) {
    const next = await sphere.at(along(place.x, t, direction));
    if (next.loss <= place.loss + 1e-4 * t * slope) return next;
  }
  return undefined;
}

/** Newton's method for a constrained critical point; keeps the best place seen. */
async function newton(
  sphere: Sphere,
  start: Place,
  maxSteps: number,
  maxProducts: number,
  tolerance: number,
): Promise<Place> {
  let place = start;
  for (let step = 0; step < maxSteps && angleOf(place) > tolerance; step++) {
    const { x } = await minres({
      operator: sphere.hessianAt(place),
      right: scaled(-1, place.tangential),
      tolerance: 1e-6,
      maxApplications: maxProducts,
    });
    const next = await sphere.at(along(place.x, 1, x));
    // Where Newton's method does not help, descent has done what can be done.
    if (!(angleOf(next) < 0.9 * angleOf(place)) || norm(x) > 0.1 * sphere.radius) break;
    place = next;
  }
  return place;
}
