/** `lucid landscape`: the loss, and what SAM sees of it, on a line or a plane through a point. */
import { basename, join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { InputError, show, unknownName } from "../../engine/errors.ts";
import { axisLabel, axisUnit } from "../../diagnostics/landscape/axis.ts";
import { crc32, crcText } from "../../engine/crc32.ts";
import {
  eigenDirections,
  orthonormal,
  principalDirections,
  project,
  randomDirection,
  samEigenDirections,
  type Axis,
  type Normalization,
} from "../../diagnostics/landscape/directions.ts";
import { fill, layersOf, ticks, type Ticks } from "../../diagnostics/landscape/grid.ts";
import { compileLandscape } from "../../diagnostics/landscape/landscape.ts";
import { layers } from "../../diagnostics/landscape/layers.ts";
import { distance, minus, norm, unit, type Vector } from "../../diagnostics/algebra/vectors.ts";
import { compileDerivatives, flatten } from "../../diagnostics/point/derivatives.ts";
import { samPoint, type SamPoint } from "../../diagnostics/point/sam-point.ts";
import type { LandscapeData, LandscapeMark, LandscapePath } from "../../figures/landscape.ts";
import { catchInterrupt } from "../../platform/node/interrupt.ts";
import { makeFolder, writeBytes, writeText } from "../../platform/node/files.ts";
import { startProgress, type Progress } from "../../platform/node/progress.ts";
import type { Model } from "../../problems/problem.ts";
import { nodeSources } from "../../run/node-sources.ts";
import { trajectoryOf, type Waypoint } from "../../run/trajectory.ts";
import { readRunFolder } from "../../store/run-folder.ts";
import { openLandscape } from "../../store/landscape-file.ts";
import { toColumns, toCsv } from "../../study/table.ts";
import { rangeWords, short, whole } from "../../report/words.ts";
import {
  chooseEngine,
  engineOption,
  option,
  threadsOption,
  wholeNumber,
} from "../shared/arguments.ts";
import { addLossOptions, fieldOption, kebab, lossOf } from "../shared/flags.ts";
import { lossAndModel, readModel, type LossFlags, type Target } from "../shared/point.ts";
import { Interrupted, printJson, type Terminal } from "../shared/terminal.ts";
import { commandLine } from "../shared/command-line.ts";

interface LandscapeFlags extends LossFlags {
  readonly point?: string;
  readonly directions?: string;
  readonly line?: boolean;
  readonly path?: boolean;
  readonly span?: string;
  readonly points?: string;
  readonly draw?: string;
  readonly lossesOnly?: boolean;
  readonly dtype?: unknown;
  readonly out?: string;
  readonly engine?: string;
  readonly threads?: string;
  readonly json?: boolean;
}

/** What `--directions` takes, and what each is. */
const kinds = {
  coordinates: "x1 and x2, of a plane",
  random: "drawn uniformly",
  filter: "drawn, each unit's weights in proportion to its size (Li et al. 2018)",
  layer: "drawn, each layer in proportion to its size",
  ascent: "the way SAM looks ahead, along g",
  eigen: "steepest and flattest for what SAM sees (of MᵀH⁺M)",
  "eigen-sam": "fastest and slowest of SAM's own step (of H⁺M)",
  trajectory: "where the run spread most (principal components)",
} as const;
type Kind = keyof typeof kinds;

export function addLandscape(program: Command, terminal: Terminal): void {
  const command = program
    .command("landscape")
    .description(
      "Draw the loss, and what SAM sees of it, on a line or a plane through a point of any problem.",
    )
    .argument("[run]", "folder of a finished run, made by lucid train --out")
    .optionsGroup("Without a run, the loss and the point:");
  addLossOptions(command);
  command
    .addOption(option("--point <file>", "weights: safetensors or npz; x,y on a plane"))
    .addOption(fieldOption("rho"))
    .addOption(fieldOption("method"))
    .optionsGroup("Which line or plane:")
    .addOption(
      option(
        "--directions <names>",
        `one or two, with a comma between: ${Object.entries(kinds)
          .map(([name, what]) => `${name}: ${what}`)
          .join(
            "; ",
          )}; to:FILE, to:RUN: toward another point (default: filter; on planes coordinates)`,
      ),
    )
    .option("--line", "only along the first direction")
    .option("--path", "show where the run went; it is trained again for that")
    .addOption(
      option(
        "--span <distance>",
        "how far to both sides of the point (default: 1.5 ρ, or what points and paths need)",
      ),
    )
    .addOption(option("--points <count>", "places along each direction (default: 51; a line: 401)"))
    .addOption(option("--draw <seed>", "seed of drawn directions (default: 0)"))
    .optionsGroup("How:")
    .option("--losses-only", "f and f(x⁺), without the gradient at x⁺: faster")
    .addOption(fieldOption("dtype"))
    .addOption(
      option(
        "--out <folder>",
        "values, picture (SVG, PNG), table (CSV), page (HTML); a second call goes on or extends (default: landscape)",
      ),
    )
    .addOption(threadsOption(2))
    .addOption(engineOption())
    .option("--json", "print one JSON document: identity, ticks and values")
    .action(async (run, flags) => {
      const progress = startProgress({ stream: terminal.err });
      try {
        await landscape(run, flags, progress, terminal);
      } finally {
        progress.done();
      }
    });
}

async function landscape(
  run: string | undefined,
  flags: LandscapeFlags,
  progress: Progress,
  terminal: Terminal,
): Promise<void> {
  const engine = { engine: chooseEngine(flags.engine) };
  const threads = wholeNumber("threads", flags.threads) ?? 2;
  const { out = "landscape" } = flags;
  const wanted = namesOf(flags);
  const made = run === undefined ? undefined : (await readRunFolder(run)).config.spec;
  const dtype = flags.dtype ?? made?.dtype ?? "float32";
  const { model, ...target } = await lossAndModel(run, flags, progress, dtype);
  const spec = made ?? { ...lossOf(flags), rho: target.rho };
  const { problem, rho } = target;
  const center = flatten(model.params);
  const interrupt = catchInterrupt(() => progress.note("stopping …"));
  try {
    const walk =
      flags.path || wanted.includes("trajectory")
        ? await walkOf(run, progress, engine, interrupt.signal)
        : undefined;
    const others = await Promise.all(
      wanted.filter(isOther).map((name) => other(name, target, progress)),
    );
    const f = await compileDerivatives(problem, { statistics: model.statistics, ...engine });
    const here = await samPoint(f, center, rho);
    const axes = await axesOf(wanted, flags, { ...target, model, here, walk, others });
    await f.dispose();
    const path = walk && pathOf(walk, center, axes);
    const marks: LandscapeMark[] = [
      { name: "x", at: axes.map(() => 0) },
      ...ascentMark(here, axes),
      ...others.map(({ name, point }) => ({
        name,
        at: project([point], center, axes).coordinates[0] ?? [],
      })),
    ];
    const grid = gridOf(flags, axes, rho, center, marks, path);
    await makeFolder(out);
    const file = await openLandscape(
      join(out, "landscape.jsonl"),
      {
        point: hash(center),
        axes: axes.map(({ vector }) => hash(vector)),
        rho,
        dtype: problem.dtype,
        problem: target.description ?? problem.name,
      },
      axes.map(({ name, share }) => ({ name, unit: axisUnit, share })),
    );
    try {
      const surface = await compileLandscape({
        problem,
        center,
        axes,
        rho,
        statistics: model.statistics,
        shiftedGradients: !flags.lossesOnly,
        threads,
        ...engine,
      });
      const complete = await fill(surface, grid, {
        known: file.known,
        wanted: flags.lossesOnly ? ["loss", "shiftedLoss"] : layers,
        signal: interrupt.signal,
        async onPlaces(places, done, of) {
          await file.append(places);
          progress.update(() => `${whole(done)} of ${whole(of)} places`);
        },
      });
      await surface.dispose();
      if (!complete) {
        throw new Interrupted(`stopped; the same command goes on: what is known is in ${out}`);
      }
      const data: LandscapeData = {
        title: `The landscape around ${run ? `the end of ${basename(run)}` : "a point"}: ${target.description ?? problem.name}`,
        rho,
        relativeRho: rho / norm(center),
        axes: axes.map(axisLabel),
        units: axes.map(() => axisUnit),
        ticks: grid,
        ...layersOf(grid, file.known),
        paths: path ? [path] : [],
        marks,
      };
      await write(out, data, spec, commandOf(run, flags));
      if (flags.json) printJson(terminal, { ...data, out });
      else terminal.out(says(data, out));
    } finally {
      await file.close();
    }
  } finally {
    interrupt.dispose();
  }
}

/** The names that `--directions` gives, checked; none where it is left out. */
function namesOf({ directions, line = false }: LandscapeFlags): readonly string[] {
  if (directions === undefined) return [];
  // The comma of coordinates, as in to:2,0, parts no names.
  const names = directions.split(/,(?=[a-z])/);
  for (const name of names) {
    if (!isOther(name) && !Object.hasOwn(kinds, name)) {
      throw unknownName("direction", name, [...Object.keys(kinds), "to:FILE"]);
    }
  }
  if (names.length > 2) {
    throw new InputError(
      `invalid directions: ${directions} (give one or two, with a comma between)`,
    );
  }
  return line ? names.slice(0, 1) : names;
}

const isOther = (name: string) => name.startsWith("to:");

/** The run's points; only a run has some. */
async function walkOf(
  run: string | undefined,
  progress: Progress,
  engine: object,
  signal: AbortSignal,
): Promise<readonly Waypoint[]> {
  if (run === undefined) {
    throw new InputError("missing run: a point alone has no trajectory (give the folder of a run)");
  }
  const { config } = await readRunFolder(run);
  const { spec, engine: name, threads } = config;
  const walk = await trajectoryOf(spec, {
    ...engine,
    sources: nodeSources(),
    engine: name,
    threads,
    signal,
    onProgress: (step) =>
      progress.update(
        () => `training again for its path: step ${whole(step)} of ${whole(spec.steps)}`,
      ),
  });
  if (signal.aborted) throw new Interrupted("stopped; the same command begins anew");
  return walk;
}

interface Other {
  /** As `--directions` gave it. */
  readonly flag: string;
  readonly name: string;
  readonly point: Vector;
}

/** The point that `to:FILE` or `to:RUN` means. */
async function other(name: string, { problem }: Target, progress: Progress): Promise<Other> {
  const given = name.slice("to:".length);
  progress.update(() => `reading ${given}`);
  const file = /\.(safetensors|npz)$/.test(given) || /^[-\d.e]+,[-\d.e]+$/.test(given);
  const { params } = await readModel(problem, file ? given : join(given, "final.safetensors"));
  return { flag: name, name: basename(given), point: flatten(params) };
}

interface Around extends Target {
  readonly model: Model;
  readonly here: SamPoint;
  readonly walk: readonly Waypoint[] | undefined;
  readonly others: readonly Other[];
}

/** The axes that names mean. One name alone gives both axes of a plane. */
async function axesOf(
  names: readonly string[],
  flags: LandscapeFlags,
  around: Around,
): Promise<readonly Axis[]> {
  const [name = around.problem.plane ? "coordinates" : "filter", other = name] = names;
  const [first, own] = await pairOf(name, flags, around);
  if (flags.line) return [first];
  const second = other === name ? own : (await pairOf(other, flags, around))[0];
  if (second === undefined) {
    throw new InputError(
      `invalid directions: ${name} (the run's points lie on a line; give a second direction, as in ${name},random)`,
    );
  }
  return orthonormal(first, second);
}

/**
 * Two directions of one kind; where a kind is but one, a drawn one beside it. A trajectory along a
 * line has no second.
 */
async function pairOf(
  name: string,
  flags: LandscapeFlags,
  { problem, model, here, walk, others }: Around,
): Promise<readonly [Axis, ...Axis[]]> {
  const seed = wholeNumber("draw", flags.draw, 0) ?? 0;
  const drawn = (normalization: Normalization, seed: number): Axis => ({
    name: `a ${normalization === "none" ? "random" : `${normalization}-normalized`} direction (seed ${seed})`,
    vector: randomDirection(
      model.params,
      (path) => problem.role(path),
      here.x,
      normalization,
      seed,
    ),
  });
  // A point of a plane has no weights whose proportions could be kept.
  const beside = drawn(problem.plane ? "none" : "filter", seed);
  if (isOther(name)) {
    const { name: called, point } = others.find((one) => one.flag === name) as Other;
    if (distance(point, here.x) === 0) {
      throw new InputError(`invalid directions: ${name} (it is the point itself)`);
    }
    const way = { name: `the way to ${called}`, vector: unit(minus(point, here.x)) };
    return [way, beside];
  }
  const kind = name as Kind;
  if (kind === "coordinates") {
    if (!problem.plane) {
      throw new InputError(
        `invalid directions: coordinates (${problem.name} is no plane: give another, such as filter)`,
      );
    }
    return [
      { name: "x1", vector: Float64Array.of(1, 0) },
      { name: "x2", vector: Float64Array.of(0, 1) },
    ];
  }
  if (kind === "random" || kind === "filter" || kind === "layer") {
    const normalization = kind === "random" ? "none" : kind;
    return [drawn(normalization, seed), drawn(normalization, seed + 1)];
  }
  if (kind === "trajectory") return principalDirections((walk ?? []).map(({ point }) => point));
  if (here.gradNorm === 0 && kind !== "eigen") {
    throw new InputError(`invalid directions: ${name} (the gradient is 0 at this point)`);
  }
  if (kind === "eigen") return eigenDirections(here);
  if (kind === "eigen-sam") return samEigenDirections(here);
  return [{ name: "the gradient g", vector: here.direction }, beside];
}

/** x⁺, where the line or plane goes through it. */
function ascentMark({ x, rho, ascentPoint }: SamPoint, axes: readonly Axis[]): LandscapeMark[] {
  const [at = []] = project([ascentPoint], x, axes).coordinates;
  return rho > 0 && Math.hypot(...at) > 0.999 * rho ? [{ name: "x⁺", at }] : [];
}

function pathOf(walk: readonly Waypoint[], center: Vector, axes: readonly Axis[]): LandscapePath {
  const { coordinates, kept } = project(
    walk.map(({ point }) => point),
    center,
    axes,
  );
  return { name: "the run", coordinates, kept };
}

/** Ticks along every axis: symmetric about the point, or around what points and paths need. */
function gridOf(
  flags: LandscapeFlags,
  axes: readonly Axis[],
  rho: number,
  center: Vector,
  marks: readonly LandscapeMark[],
  path: LandscapePath | undefined,
): readonly Ticks[] {
  const points = wholeNumber("points", flags.points) ?? (axes.length === 1 ? 401 : 51);
  if (points < 2 || points ** axes.length > 4_000_000) {
    throw new InputError(`invalid points: ${points} (give 2 to 2000 along each direction)`);
  }
  if (flags.span !== undefined) {
    const span = Number(flags.span);
    if (!Number.isFinite(span) || span <= 0) {
      throw new InputError(`invalid span: ${flags.span} (give a distance above 0)`);
    }
    return axes.map(() => ticks(-span, span, points));
  }
  const usual = rho > 0 ? 1.5 * rho : 0.5 * (norm(center) || 1);
  const shown = [...marks.map(({ at }) => at), ...(path?.coordinates ?? [])];
  if (shown.length === 1) return axes.map(() => ticks(-usual, usual, points));
  // A square that holds all that is shown, with a fifth of room on every side.
  const ranges = axes.map((_, k) => {
    const along = shown.map((at) => at[k] ?? 0);
    return [Math.min(...along), Math.max(...along)] as const;
  });
  const half = 0.7 * Math.max(...ranges.map(([low, high]) => high - low));
  return ranges.map(([low, high]) => {
    const middle = (low + high) / 2;
    return ticks(middle - half, middle + half, points);
  });
}

const hash = (vector: Vector) => crcText(crc32(new Uint8Array(vector.buffer)));

/** All files of a landscape beside its values. */
async function write(
  out: string,
  data: LandscapeData,
  spec: unknown,
  command: string,
): Promise<void> {
  const { renderPng, renderSvg } = await import("../../figures/render.ts");
  const { landscapeFigure } = await import("../../figures/landscape.ts");
  const figure = landscapeFigure(data);
  await writeText(join(out, "landscape.svg"), renderSvg(figure));
  await writeBytes(join(out, "landscape.png"), new Uint8Array(renderPng(figure)));
  await writeText(join(out, "landscape.csv"), toCsv(toColumns(numbersOf(data))));
  const { landscapePage } = await import("../../report/landscape-page.ts");
  await writeText(join(out, "landscape.html"), await landscapePage(data, command));
  const { ticks: grid, axes, rho, relativeRho } = data;
  const ranges = grid.map((along) => ({ from: along[0], to: along.at(-1), points: along.length }));
  await writeText(
    join(out, "landscape.json"),
    `${JSON.stringify({ command, spec, rho, relativeRho, axes, ranges }, null, 2)}\n`,
  );
}

/** The command that made it, for the record. */
function commandOf(run: string | undefined, flags: LandscapeFlags): string {
  const given = Object.entries(flags).flatMap(([flag, value]) =>
    flag === "json"
      ? []
      : value === true
        ? [`--${kebab(flag)}`]
        : [`--${kebab(flag)}`, show(value)],
  );
  return commandLine("landscape", ...(run === undefined ? [] : [run]), ...given);
}

/** A row per place. */
function numbersOf(data: LandscapeData): object[] {
  const [xs = [], ys] = data.ticks;
  return data.loss.map((loss, i) => ({
    a: xs[i % xs.length],
    ...(ys && { b: ys[Math.floor(i / xs.length)] }),
    loss,
    shiftedLoss: data.shiftedLoss[i],
    gradNorm: data.gradNorm[i],
    ...(data.shiftedGradNorm && { shiftedGradNorm: data.shiftedGradNorm[i] }),
    ...(data.cosine && { cosine: data.cosine[i] }),
  }));
}

function says(
  { axes, ticks: grid, rho, relativeRho, loss, shiftedLoss, paths }: LandscapeData,
  out: string,
) {
  return [
    ...axes.map(
      (name, k) => `along ${name}: ${short(grid[k]?.[0] ?? 0)} … ${short(grid[k]?.at(-1) ?? 0)}`,
    ),
    `ρ = ${rho}${relativeRho === undefined ? "" : `, ρ/‖x‖ = ${short(relativeRho)}`}`,
    `f(p)   ${rangeWords(loss)}`,
    `f(p⁺)  ${rangeWords(shiftedLoss)}`,
    ...paths.map(
      ({ name, kept }) => `${name}: ${(100 * kept).toFixed(1)} % of its variance lies here`,
    ),
    `${out}: landscape.html (page), .svg, .png, .csv, .json (the record), .jsonl (values; a second call goes on)`,
    "",
  ].join("\n");
}
