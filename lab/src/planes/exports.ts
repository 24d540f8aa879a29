/** Exports of the view: the maps as they are, as a figure, and the runs as rows. */
import { commandOf } from "../address.ts";
import { csvOf, pngOf, type Exports } from "../shared/exports.ts";
import { colorOf } from "../shared/theme.svelte.ts";
import { endsWords } from "./descriptions.ts";
import type { Session } from "./session.svelte.ts";
import { entryAt, type Course, type Stand } from "./walk.ts";

/** What the view hands out, each made when it is asked for. */
export function exportsOf(session: Session): Exports {
  const { scenario, race } = session;
  const { spec, rho } = scenario;
  return {
    name: `${spec.problem}-${spec.method}-rho-${rho}`,
    command: () => commandOf(scenario.canonical()),
    svg: () => figureSvg(session),
    png: mapsPng,
    csv: () =>
      csvOf(
        race.runs.flatMap(({ name, course }) =>
          rowsOf(course).map((row) => ({ run: name, ...row })),
        ),
      ),
    json: () => everything(session),
  };
}

const rowsOf = (course: Course) =>
  Array.from({ length: course.count }, (_, k) => ({
    step: k,
    x1: course.x1[k] ?? NaN,
    x2: course.x2[k] ?? NaN,
    ahead1: course.ahead1[k] ?? NaN,
    ahead2: course.ahead2[k] ?? NaN,
    loss: course.loss[k] ?? NaN,
    shiftedLoss: course.shiftedLoss[k] ?? NaN,
    gradNorm: course.gradNorm[k] ?? NaN,
    shiftedGradNorm: course.shiftedGradNorm[k] ?? NaN,
  }));

const everything = ({ scenario, clock, race, search, certifier }: Session) => ({
  spec: scenario.canonical(),
  fields: scenario.fields,
  step: clock.step,
  sentence: race.sentence,
  runs: race.runs.map(({ name, method, course }, i) => ({
    name,
    method,
    stand: race.stands[i],
    rows: rowsOf(course),
  })),
  critical: scenario.plane.critical,
  hallucinated: search.points,
  branch: search.branch ?? null,
  warning: search.warning ?? null,
  certificate: certifier.certificate ?? null,
});

/** Both maps as they are on the page, side by side. */
async function mapsPng(): Promise<Blob> {
  const maps = [...document.querySelectorAll<HTMLCanvasElement>("figure canvas:not(.base)")];
  const both = document.createElement("canvas");
  const gap = 16;
  both.width = maps.reduce((sum, { width }) => sum + width + gap, gap);
  both.height = Math.max(...maps.map(({ height }) => height)) + 2 * gap;
  const context = both.getContext("2d");
  if (context) {
    context.fillStyle = colorOf("--panel");
    context.fillRect(0, 0, both.width, both.height);
    let x = gap;
    for (const map of maps) {
      const base = map.previousElementSibling as HTMLCanvasElement;
      context.drawImage(base, x, gap, map.width, map.height);
      context.drawImage(map, x, gap);
      x += map.width + gap;
    }
  }
  return pngOf(both);
}

/** What stands at the end of a path. */
const verdicts = {
  minimizer: "minimizer",
  saddle: "saddle",
  maximizer: "maximizer",
  stopped: "hallucinated-point",
  slowing: "near-hallucinated",
  around: "oscillating",
  moving: "descending",
  diverged: "diverged",
} as const satisfies { readonly [Kind in Stand["kind"]]: string };

/** Both maps as a figure of the package, dark on white. */
async function figureSvg(session: Session): Promise<string> {
  const { scenario, clock, race, basins } = session;
  const { planeFigure } = await import("lucid-sam/figures");
  const { spec, plane, rho, rate } = scenario;
  const { picture } = basins;
  const figure = planeFigure({
    title: `${spec.problem}, ρ = ${rho}, η = ${rate}: ${race.sentence}`,
    plane,
    rho,
    paths: race.runs.map(({ id, name, course }, i) => ({
      name,
      verdict: verdicts[race.stands[i]?.kind ?? "moving"],
      dashed: id !== "main",
      rows: rowsOf(course)
        .slice(0, entryAt(course, clock.step) + 1)
        .map(({ x1, x2, ahead1, ahead2 }) => ({
          point: [x1, x2] as const,
          ascentPoint: [ahead1, ahead2] as const,
        })),
    })),
    basins: picture && {
      ...picture,
      words: endsWords(session),
    },
  });
  const svg = figure(document).outerHTML;
  return `${svg.replace("<svg ", '<svg color="#111" style="color: #111; background: white" ')}\n`;
}
