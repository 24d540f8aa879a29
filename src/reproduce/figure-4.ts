/** Figures 4 and 7: planes and lines through a hallucinated minimizer of a network, and what joins copies of it. */
import {
  along,
  distance,
  dot,
  minus,
  norm,
  randomUnit,
  unit,
  type Vector,
} from "../diagnostics/algebra/vectors.ts";
import {
  eigenDirections,
  orthonormal,
  principalDirections,
  project,
  randomDirection,
  samEigenDirections,
  type Axis,
} from "../diagnostics/landscape/directions.ts";
import { axisLabel } from "../diagnostics/landscape/axis.ts";
import { fill, layersOf, ticks, type Place } from "../diagnostics/landscape/grid.ts";
import { compileLandscape } from "../diagnostics/landscape/landscape.ts";
import { compileDerivatives, flatten, unflatten } from "../diagnostics/point/derivatives.ts";
import { traceHallucinated } from "../diagnostics/search/continuation.ts";
import { refine } from "../diagnostics/point/refine.ts";
import { samPoint, type SamPoint } from "../diagnostics/point/sam-point.ts";
import {
  landscapeFigure,
  type LandscapeData,
  type LandscapeMark,
  type LandscapePath,
} from "../figures/landscape.ts";
import { multiply } from "../engine/arrays.ts";
import type { np } from "../engine/jax-js.ts";
import { leavesWithPaths, tensor, type Tensor } from "../engine/tensor.ts";
import type { Problem } from "../problems/problem.ts";
import { regression } from "../problems/networks/regression.ts";
import type { VerdictName } from "../diagnostics/verdict.ts";
import { buildProblem } from "../run/build.ts";
import { nodeSources } from "../run/node-sources.ts";
import { parseSpec } from "../run/spec.ts";
import { trajectoryOf } from "../run/trajectory.ts";
import { prepareTraining } from "../run/training.ts";
import { sam } from "../sam/methods/sam.ts";
import { sgd } from "../sam/parts/outer.ts";
import { modelOf, type TrainingState } from "../sam/training/state.ts";
import type { Made, Making, Recipe } from "./recipe.ts";

const rho = 2;
const learningRate = 0.01;
/** How far the copies of figure 7 are displaced. */
const displaced = 0.05;
/** w, b, a, c: the seventh of forty starts drawn by numpy's default_rng(7). */
const start = [
  -0.4902608246917508, -0.10984738723470686, -0.0645395663718078, 0.09527039842747054,
  0.19123870325893266, -0.4470479026659386, -0.517996462354455,
];
const problem = regression({ start });
const spec = { problem: "regression", rho, lr: learningRate, start, method: "sam" };

/** The hallucinated minimizer, from where a run of SAM stands after so many steps, and copies that came back to it. */
async function hallucinated({ preset, engine, signal, onProgress }: Making) {
  const steps = { quick: 20_000, standard: 45_000, paper: 220_000 }[preset];
  const training = await prepareTraining({
    problem,
    method: sam({ rho, outer: sgd({ learningRate }) }),
    engine,
  });
  const f = await compileDerivatives(problem, { engine });
  try {
    onProgress(`SAM from its start, ${steps} steps`);
    const run = await training.run({ steps, signal });
    signal.throwIfAborted();
    const refined = await refine({ f, x: flatten(run.model.params), rho, tolerance: 1e-12 });
    if (!refined.converged) throw new Error(`not a zero of g⁺: ${refined.sentence}`);
    const point = refined.point;
    // Two displaced copies run until they have come back: their ways span figure 7's plane.
    const copies: Vector[][] = [];
    for (const name of ["first", "second"]) {
      const away = along(point.x, displaced, randomUnit(f.dimension, 0, "figure-7", name));
      const start = training.start();
      const params = unflatten(problem.init(0), away);
      let from: TrainingState = { ...start, carry: { ...start.carry, params } };
      const way = [away];
      // The first steps go far, the last ones hardly: looked at after 1, 2, 4, … steps.
      for (let until = 1; from.step < steps; until = Math.min(2 * until, steps)) {
        onProgress(`${name} displaced copy, ${until} steps`);
        from = await training.run({ steps, until, signal, from });
        signal.throwIfAborted();
        way.push(flatten(modelOf(from).params));
      }
      copies.push(way);
    }
    return {
      point,
      copies,
      eigen: await eigenDirections(point),
      samEigen: await samEigenDirections(point),
    };
  } finally {
    await f.dispose();
    await training.dispose();
  }
}

interface View {
  readonly name: string;
  readonly title: string;
  readonly axes: readonly Axis[];
  readonly ranges: readonly (readonly [from: number, to: number])[];
  readonly marks?: readonly LandscapeMark[];
  readonly paths?: readonly LandscapePath[];
  /** What the center is; default: a hallucinated minimizer. */
  readonly verdict?: VerdictName;
  readonly caption: string;
}

async function draw(
  problem: Problem,
  point: SamPoint,
  view: View,
  { preset, engine, signal }: Making,
): Promise<Made> {
  const along = { quick: 41, standard: 81, paper: 161 }[preset];
  const points = view.axes.length === 1 ? 10 * along + 1 : along;
  const grid = view.ranges.map(([from, to]) => ticks(from, to, points));
  const landscape = await compileLandscape({
    problem,
    center: point.x,
    axes: view.axes,
    rho,
    engine,
  });
  const known = new Map<string, Place>();
  await fill(landscape, grid, { known, signal });
  await landscape.dispose();
  signal.throwIfAborted();
  const data: LandscapeData = {
    title: view.title,
    rho,
    relativeRho: rho / norm(point.x),
    axes: view.axes.map(axisLabel),
    ticks: grid,
    ...layersOf(grid, known),
    paths: view.paths ?? [],
    marks: [
      {
        name: "x",
        at: view.axes.map(() => 0),
        ...(view.axes.length === 2 && {
          verdict: view.verdict ?? ("hallucinated-minimizer" as const),
        }),
      },
      ...(view.marks ?? []),
    ],
  };
  return {
    name: view.name,
    figure: landscapeFigure(data),
    numbers: [...known.values()].map(({ place: [a, b], ...values }) => ({
      a,
      ...(b !== undefined && { b }),
      ...values,
    })),
    spec: { ...spec, axes: data.axes, ranges: view.ranges, points },
    caption: view.caption,
  };
}

/**
 * The same network with its output bias as a product of two parameters, so that minimizers of the
 * loss form a curve; and the curve of hallucinated minimizers that belongs to it   (Theorem 3.1).
 */
async function connected(point: SamPoint, { engine }: Making) {
  const redundant: Problem = {
    ...problem,
    name: "regression whose output bias is a product",
    role: () => "weight",
    init(seed) {
      const { c, ...rest } = problem.init(seed) as { [name: string]: Tensor };
      return { ...rest, factor: tensor([1], [1], "float64"), scale: c as Tensor };
    },
    forward(params, batch, context) {
      const { factor, scale, ...rest } = params as { [name: string]: np.Array };
      const c = multiply(factor as np.Array, scale as np.Array);
      return problem.forward({ ...rest, c }, batch, context);
    },
  };
  const f = await compileDerivatives(redundant, { engine });
  try {
    const { c, ...rest } = unflatten(problem.init(0), point.x) as { [name: string]: Tensor };
    const there = { ...rest, factor: tensor([1], [1], "float64"), scale: c as Tensor };
    const refined = await refine({
      f,
      x: flatten(there),
      rho,
      tolerance: 1e-12,
      maxProducts: 3000,
    });
    if (!refined.converged) throw new Error(`not a zero of g⁺: ${refined.sentence}`);
    const { x } = refined.point;
    const names = leavesWithPaths(there).flatMap(([path, { shape }]) =>
      Array.from({ length: shape[0] ?? 1 }, () => path),
    );
    const axes = ["factor", "scale"].map((name): Axis => {
      const vector = new Float64Array(x.length);
      vector[names.indexOf(name)] = 1;
      return { name: `the ${name} of the output bias`, vector };
    });
    const inside = (p: Vector) =>
      axes.every(({ vector }) => Math.abs(dot(minus(p, x), vector)) < 2.5);
    const { points, dimensions } = await traceHallucinated({ f, x, rho, inside, tolerance: 1e-9 });
    const ascents = await Promise.all(
      points.map(async (p) => (await samPoint(f, p, rho)).ascentPoint),
    );
    const view: View = {
      name: "figure-7-set",
      title: "Where minimizers form a curve, hallucinated minimizers do",
      axes,
      ranges: [
        [-2, 2],
        [-2, 2],
      ],
      paths: [
        { name: "hallucinated minimizers, connected", ...project(points, x, axes) },
        { name: "their ascent points, minimizers of f", ...project(ascents, x, axes) },
      ],
      caption: `The network with its output bias written as a product of two parameters. ${points.length} points traced with ‖g⁺‖ below 1e-11; the kernel of the Hessian of what SAM sees has dimension ${[...new Set(dimensions)].join(" or ")} along the curve, as Theorem 3.1 says.`,
    };
    return { problem: redundant, point: refined.point, view };
  } finally {
    await f.dispose();
  }
}

/** SAM on MNIST at a radius at which it stands still: near a zero of g⁺, where none has been proved. */
const mnist = {
  problem: "mlp",
  data: "mnist",
  n: 500,
  pool: 2,
  hidden: [64],
  method: "sam",
  rho: 2,
  lr: 0.01,
  steps: 20_000,
};

/** The same pictures about the end of such a run. */
async function nearHallucinated(making: Making): Promise<Made[]> {
  const { engine, signal, onProgress } = making;
  const spec = parseSpec(mnist);
  const sources = nodeSources();
  const problem = await buildProblem(spec, sources, signal);
  const walk = await trajectoryOf(spec, {
    sources,
    engine,
    signal,
    count: 200,
    onProgress: (step) => onProgress(`SAM on MNIST, step ${step} of ${mnist.steps}`),
  });
  signal.throwIfAborted();
  const x = walk.at(-1)?.point as Vector;
  const f = await compileDerivatives(problem, { engine });
  try {
    const point = await samPoint(f, x, mnist.rho);
    const drawn = (seed: number): Axis => ({
      name: `a filter-normalized direction (seed ${seed})`,
      vector: randomDirection(problem.init(0), (path) => problem.role(path), x, "filter", seed),
    });
    const half = 1.5 * mnist.rho;
    const square = [
      [-half, half],
      [-half, half],
    ] as const;
    const principal = principalDirections(walk.map(({ point }) => point));
    const way = project(
      walk.map(({ point }) => point),
      x,
      principal,
    );
    const rangeAlong = (k: number) => {
      const along = way.coordinates.map((at) => at[k] ?? 0);
      const [low, high] = [Math.min(...along), Math.max(...along)];
      return [low - 0.2 * (high - low), high + 0.2 * (high - low)] as const;
    };
    const where = `GradRatio is ${point.gradRatio.toPrecision(2)} at this end: near-hallucinated, no zero of g⁺ is proved here`;
    const views: View[] = [
      {
        name: "figure-4-mnist",
        title: "A plane through a near-hallucinated end on MNIST",
        axes: orthonormal(drawn(0), drawn(1)),
        ranges: square,
        caption: `${where}.`,
        verdict: "near-hallucinated",
      },
      {
        name: "figure-4-mnist-line",
        title: "On MNIST, the line from x to x⁺, and beyond",
        axes: [{ name: "the gradient g", vector: point.direction }],
        ranges: [[-half, 2 * mnist.rho]],
        marks: [{ name: "x⁺", at: [mnist.rho] }],
        caption: `${where}.`,
      },
      {
        name: "figure-4-mnist-run",
        title: "The run on MNIST in the plane where it spread most",
        axes: principal,
        ranges: [rangeAlong(0), rangeAlong(1)],
        paths: [{ name: "the run", ...way }],
        caption: `${where}.`,
        verdict: "near-hallucinated",
      },
    ];
    const made: Made[] = [];
    for (const view of views) {
      onProgress(view.title);
      made.push({ ...(await draw(problem, point, view, making)) });
    }
    return made.map((one) => ({ ...one, spec: { ...one.spec, ...mnist, start: null } }));
  } finally {
    await f.dispose();
  }
}

export const throughThePoint: Recipe = {
  figures: [4, 7],
  title: "Around a hallucinated minimizer of a network",
  paper:
    "Planes and a line through the end of a run of a two-layer network on MNIST that was called hallucinated; a plane through two displaced and reconverged copies.",
  ours: "The 7-parameter network whose hallucinated minimizer is proved (docs/hallucinated-minimizer.md), refined to ‖g⁺‖/‖g‖ below 1e-12.",
  look: "Left, nothing in the loss holds SAM at x: it is a slope. Right, what SAM sees has a strict minimum exactly there. On the line, the loss climbs from x over a ridge and falls to x⁺, a minimizer of the loss.",
  seconds: { quick: 30, standard: 90, paper: 400 },
  async make(making) {
    const { point, copies, eigen, samEigen } = await hallucinated(making);
    const { x, direction } = point;
    const params = problem.init(0);
    const filter = (seed: number): Axis => ({
      name: `a filter-normalized direction (seed ${seed})`,
      vector: randomDirection(params, (path) => problem.role(path), x, "filter", seed),
    });
    const square = (half: number) =>
      [
        [-half, half],
        [-half, half],
      ] as const;
    const [first = [], second = []] = copies;
    const copyAxes = orthonormal(
      { name: "the first displacement", vector: unit(minus(first[0] as Vector, x)) },
      { name: "the second displacement", vector: unit(minus(second[0] as Vector, x)) },
    );
    const apart = copies.map((way) => distance(way.at(-1) as Vector, x));
    const curve = await connected(point, making);
    const views: View[] = [
      {
        name: "figure-4",
        title: "A plane in filter-normalized directions through a hallucinated minimizer",
        axes: orthonormal(filter(0), filter(1)),
        ranges: square(3),
        caption:
          "Directions in the proportions of the weights (Li et al. 2018), orthogonal, of equal norm.",
      },
      {
        name: "figure-4-eigen",
        title: "The plane of the extreme eigenvectors of what SAM sees",
        axes: orthonormal(...eigen),
        ranges: square(0.5),
        caption:
          "Steepest and flattest direction of what SAM sees. Both eigenvalues are positive: a strict minimum.",
      },
      {
        name: "figure-4-sam",
        title: "The plane in which SAM's own step is fastest and slowest",
        axes: orthonormal(...samEigen),
        ranges: square(0.5),
        caption:
          "Extreme eigenvectors of H⁺M. Both eigenvalues have positive real part: SAM is drawn in.",
      },
      {
        name: "figure-4-line",
        title: "The line from x over the ridge to x⁺, and beyond",
        axes: [{ name: "the gradient g", vector: direction }],
        ranges: [[-1.5 * rho, 2 * rho]],
        marks: [{ name: "x⁺", at: [rho] }],
        caption: "Distance from x in the direction of the gradient. x⁺, at ρ, is where SAM looks.",
      },
      {
        name: "figure-7",
        title: "Two displaced copies come back to the hallucinated minimizer",
        axes: copyAxes,
        ranges: square(1.5 * displaced),
        paths: copies.map((way, i) => ({
          name: `${i === 0 ? "first" : "second"} copy`,
          ...project(way, x, copyAxes),
        })),
        caption: `Copies displaced by ${displaced} in two random directions, and their ways, projected. After their steps they are ${apart.map((d) => d.toExponential(1)).join(" and ")} from the point.`,
      },
    ];
    const made: Made[] = [];
    for (const view of views) {
      making.onProgress(view.title);
      made.push(await draw(problem, point, view, making));
    }
    making.onProgress(curve.view.title);
    made.push(await draw(curve.problem, curve.point, curve.view, making));
    return making.preset === "quick" ? made : [...made, ...(await nearHallucinated(making))];
  },
};
