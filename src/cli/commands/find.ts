/** `lucid find`: hallucinated points, constructed, searched for and followed. */
import type { Command } from "@commander-js/extra-typings";
import { construct, sweepEpsilon } from "../../diagnostics/search/construction.ts";
import { continueInRho, traceHallucinated } from "../../diagnostics/search/continuation.ts";
import {
  compileDerivatives,
  flatten,
  planeDerivatives,
  unflatten,
} from "../../diagnostics/point/derivatives.ts";
import {
  findAround,
  findOnPlane,
  type FindOptions,
  type FoundPoint,
} from "../../diagnostics/search/find.ts";
import { InputError, unknownName } from "../../engine/errors.ts";
import { startProgress, type Progress } from "../../platform/node/progress.ts";
import type { CriticalKind, Model, Plane, Point, Problem } from "../../problems/problem.ts";
import {
  chooseEngine,
  engineOption,
  option,
  threadsOption,
  wholeNumber,
} from "../shared/arguments.ts";
import { addLossOptions, fieldOption } from "../shared/flags.ts";
import { readModel, targetOf, type LossFlags } from "../shared/point.ts";
import { short } from "../../report/words.ts";
import { norm, type Vector } from "../../diagnostics/algebra/vectors.ts";
import { table } from "../shared/table.ts";
import { printJson, type Terminal } from "../shared/terminal.ts";

/** A loss, SAM's radius on it, and the learning rate of runs beside points. */
type Target = Pick<FindOptions, "problem" | "rho" | "learningRate">;

const ways = ["grid", "construction", "sphere", "branch", "curve"] as const;

interface FindFlags extends LossFlags {
  readonly by?: string;
  readonly center?: string;
  readonly point?: string;
  readonly epsilon?: string;
  readonly starts?: string;
  readonly engine?: string;
  readonly threads?: string;
  readonly json?: boolean;
}

export function addFind(program: Command, terminal: Terminal): void {
  const command = program
    .command("find")
    .description("Find hallucinated points of SAM without waiting for SAM to fall in.")
    .optionsGroup("Of which loss:");
  addLossOptions(command);
  command
    .addOption(fieldOption("rho"))
    .addOption(fieldOption("lr"))
    .optionsGroup("How:")
    .addOption(
      option(
        "--by <way>",
        "grid: all on a plane; construction: Theorem 2.1 on a plane; sphere: around a critical point; branch: follow one in rho; curve: follow a curve of them (default: grid on planes, sphere on networks)",
      ),
    )
    .addOption(
      option(
        "--center <point>",
        "the critical point to search around: a file, or x,y (planes: their own minimizers)",
      ),
    )
    .addOption(option("--point <point>", "where a branch or curve begins: a file, or x,y"))
    .addOption(
      option("--epsilon <number>", "construction: cut so far below the maximum (default: a sweep)"),
    )
    .addOption(option("--starts <count>", "sphere: random starts (default: 16)"))
    .addOption(engineOption())
    .addOption(threadsOption(2))
    .option("--json", "print one JSON document")
    .action(async (flags) => {
      const progress = startProgress({ stream: terminal.err });
      try {
        const { document, text } = await find(flags, progress);
        if (flags.json) printJson(terminal, document);
        else terminal.out(text);
      } finally {
        progress.done();
      }
    });
}

/** What to print, in either form. */
interface Findings {
  readonly document: unknown;
  readonly text: string;
}

async function find(flags: FindFlags, progress: Progress): Promise<Findings> {
  // The construction finds its own ρ.
  const rho = flags.by === "construction" ? 1 : flags.rho;
  const { problem, rho: radius, learningRate } = await targetOf({ ...flags, rho }, progress);
  const target = { problem, rho: radius, learningRate };
  const { plane } = target.problem;
  const by = flags.by ?? (plane ? "grid" : "sphere");
  const way = ways.find((name) => name === by);
  if (way === undefined) throw unknownName("way", by, ways);
  if (way === "construction") return byConstruction(needPlane(target.problem, way), flags);
  if (way === "grid") return byGrid(target, needPlane(target.problem, way), progress);
  if (way === "sphere") return bySphere(target, flags, progress);
  return byFollowing(target, way, flags);
}

function needPlane({ plane, name }: Problem, way: string): Plane {
  if (plane) return plane;
  throw new InputError(
    `invalid --by ${way}: ${name} is no plane (give --by sphere, branch or curve)`,
  );
}

const pointText = (x: ArrayLike<number>) =>
  x.length === 2 ? `(${Array.from(x, short).join(", ")})` : `${x.length} parameters`;

/** `, 0.27 ‖x‖`; nothing at 0. */
function beside(rho: number, x: Vector): string {
  const relative = rho / norm(x);
  return Number.isFinite(relative) ? `, ${short(relative)} ‖x‖` : "";
}

function listFound(found: readonly FoundPoint[]): string {
  return table([
    ["point", "verdict", "attracting", "f(x)", "f(x⁺)", "‖g‖", "GradRatio", "ρ/‖x‖"],
    ...found.map(({ x, certificate: c }) => [
      pointText(x),
      c.verdict.name,
      c.attracting.answer,
      short(c.loss),
      short(c.shiftedLoss),
      short(c.gradNorm),
      short(c.gradRatio),
      short(c.subject?.relativeRho ?? null),
    ]),
  ]);
}

async function byGrid(target: Target, plane: Plane, progress: Progress): Promise<Findings> {
  const found = await findOnPlane({
    ...target,
    plane,
    certifyAtMost: 40,
    steps: 300,
    onProgress: (what) => progress.update(() => what),
  });
  return {
    document: found.map(({ x, certificate }) => ({ x: [...x], certificate })),
    text: found.length > 0 ? listFound(found) : "no hallucinated points in this plane's domain\n",
  };
}

async function bySphere(target: Target, flags: FindFlags, progress: Progress): Promise<Findings> {
  const { problem, rho } = target;
  const starts = wholeNumber("starts", flags.starts);
  const engine = {
    engine: chooseEngine(flags.engine),
    threads: wholeNumber("threads", flags.threads) ?? 2,
  };
  const centers =
    flags.center === undefined
      ? known(problem, "minimizer")
      : [await readModel(problem, flags.center)];
  const results = [];
  for (const center of centers) {
    const { centerGradNorm, search, found } = await findAround({
      ...target,
      center: center.params,
      statistics: center.statistics,
      engine,
      starts,
      onProgress: (what) => progress.update(() => what),
    });
    results.push({ center: flatten(center.params), centerGradNorm, search, found });
  }
  const text = results.map(({ center, centerGradNorm, search, found }) =>
    [
      `around ${pointText(center)}, where ‖g‖ = ${short(centerGradNorm)}, at rho = ${rho}${beside(rho, center)}:`,
      `${search.starts} starts ended at ${search.points.length} constrained minima; at ${search.hallucinated.length} the loss falls outward, so that x⁺ is the center`,
      found.length > 0 ? listFound(found) : "",
    ].join("\n"),
  );
  return {
    document: results.map(({ center, centerGradNorm, search, found }) => ({
      // Points of networks are too large for a document.
      ...(center.length === 2 && { center: [...center] }),
      centerGradNorm,
      starts: search.starts,
      constrainedMinima: search.points.map(({ x, ...rest }) => ({
        ...rest,
        ...(x.length === 2 && { x: [...x] }),
      })),
      found: found.map(({ x, certificate }) => ({
        ...(x.length === 2 && { x: [...x] }),
        certificate,
      })),
    })),
    text: text.join("\n"),
  };
}

/** A plane's own critical points of a kind, as models. */
function known(problem: Problem, kind: CriticalKind): Model[] {
  const { plane, name } = problem;
  if (plane === undefined) {
    throw new InputError(
      `missing --center (give a critical point of ${name}, such as a trained network)`,
    );
  }
  const points = firstPoints(plane, kind);
  if (points.length === 0)
    throw new InputError(`missing --center: ${name} has no ${kind} of its own`);
  return points.map((point) => ({
    params: unflatten(problem.init(0), Float64Array.from(point)),
    statistics: {},
  }));
}

/** One point of every set of critical points of a kind. */
const firstPoints = ({ critical }: Plane, kind: CriticalKind): Point[] =>
  critical.filter((set) => set.kind === kind).flatMap(({ points }) => points.slice(0, 1));

function byConstruction(plane: Plane, flags: FindFlags): Findings {
  const maximizers = firstPoints(plane, "maximizer");
  const minimizers = firstPoints(plane, "minimizer");
  if (maximizers.length === 0 || minimizers.length === 0) {
    throw new InputError(
      "invalid problem: the construction needs a maximizer and a minimizer (try bump)",
    );
  }
  const rows = maximizers.flatMap((maximizer) =>
    minimizers.flatMap((minimizer) => {
      const pair = { plane, maximizer, minimizer };
      const built =
        flags.epsilon === undefined
          ? sweepEpsilon(pair).constructions
          : [construct({ ...pair, epsilon: Number(flags.epsilon) })];
      return built.map((construction) => ({ maximizer, minimizer, ...construction }));
    }),
  );
  return {
    document: rows.map(({ component, ...row }) => ({
      ...row,
      component: { ...component, inside: [...component.inside] },
    })),
    text: table([
      ["maximizer", "minimizer", "epsilon", "point", "rho", "ρ/‖x‖", "‖x⁺ − x*‖"],
      ...rows.map(({ maximizer, minimizer, epsilon, x, rho, error }) => [
        pointText(maximizer),
        pointText(minimizer),
        short(epsilon),
        pointText(x),
        short(rho),
        short(rho / Math.hypot(...x)),
        short(error),
      ]),
    ]),
  };
}

async function byFollowing(
  { problem, rho }: Target,
  way: "branch" | "curve",
  flags: FindFlags,
): Promise<Findings> {
  if (flags.point === undefined)
    throw new InputError(`missing --point (give where the ${way} begins)`);
  const { params, statistics } = await readModel(problem, flags.point);
  const x = flatten(params);
  const { plane } = problem;
  const options = { engine: chooseEngine(flags.engine), statistics };
  const f = plane ? planeDerivatives(plane) : await compileDerivatives(problem, options);
  try {
    if (way === "branch") {
      if (flags.center === undefined) {
        throw new InputError(
          "missing --center (give the critical point that is x⁺ all along the branch)",
        );
      }
      const center = flatten((await readModel(problem, flags.center)).params);
      const branch = await continueInRho({ f, center, x, rho });
      const list = (points: typeof branch.points) =>
        table([
          ["rho", "ρ/‖x‖", "point", "‖g‖"],
          ...points.map((point) => [
            short(point.rho),
            short(point.rho / norm(point.x)),
            pointText(point.x),
            short(point.gradNorm),
          ]),
        ]);
      const plain = (points: typeof branch.points) =>
        points.map((point) => ({ ...point, x: [...point.x] }));
      return {
        document: { ...branch, points: plain(branch.points), folds: plain(branch.folds) },
        text: `rho from ${short(branch.interval[0])} (${branch.ends[0]}) to ${short(branch.interval[1])} (${branch.ends[1]}), ${branch.folds.length} folds\n${list(branch.folds)}\n${list(branch.points)}`,
      };
    }
    const [[left, right], [bottom, top]] = plane?.domain ?? [
      [-Infinity, Infinity],
      [-Infinity, Infinity],
    ];
    const curve = await traceHallucinated({
      f,
      x,
      rho,
      inside: ([a = NaN, b = NaN]) => a >= left && a <= right && b >= bottom && b <= top,
    });
    return {
      document: { ...curve, points: curve.points.map((point) => [...point]) },
      text: `${curve.points.length} points (${curve.ends.join(", ")}); dimension by the kernel of MᵀH⁺M: ${[...new Set(curve.dimensions)].join(", ")}\n${table(curve.points.map((point) => [pointText(point)]))}`,
    };
  } finally {
    await f.dispose();
  }
}
