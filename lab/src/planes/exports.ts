/** Exports of the view: the maps as they are, as a figure, and the runs as rows. */
import type { RightMap } from "lucid-sam/figures";
import { commandOf } from "../address.ts";
import { csvOf, pngOfSvg, type Exports } from "../shared/exports.ts";
import { directionsOf } from "./arrows.ts";
import { placesAt } from "./branch.ts";
import type { Run } from "./contestants.ts";
import { endsWords, seenTitle } from "./descriptions.ts";
import type { Session } from "./session.svelte.ts";
import { entryAt, type Course, type Stand } from "./walk.ts";

/** What the view hands out, each made when it is asked for. */
export function exportsOf(session: Session): Exports {
  const { scenario, race } = session;
  const { spec, rho } = scenario;
  return {
    name: `${spec.problem}-${spec.method}-rho-${rho}`,
    command: () => commandOf(scenario.canonical()),
    ...(scenario.broken === undefined && {
      svg: () => figureSvg(session),
      png: async () => pngOfSvg(await figureSvg(session)),
    }),
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

/** Colors of runs for comparison, on white paper. */
const comparisonColors = {
  main: undefined,
  descent: "#0b5cad",
  switch: "#00704f",
  rival: "#7a3a9e",
} as const satisfies { readonly [Id in Run["id"]]: string | undefined };

/** Letters of a title that fit on one line. */
const mostLetters = 95;
/** Arrows along the longer side of a map. */
const mostArrows = 15;

/** Both maps as a figure of the package, with all layers that are shown, dark on white. */
async function figureSvg(session: Session): Promise<string> {
  const { scenario, clock, race, search } = session;
  const { arrow, planeFigure } = await import("lucid-sam/figures");
  const { spec, fields, plane, rho, radius, rate, start, view } = scenario;
  const field =
    fields.field && race.scene
      ? directionsOf(race.scene, radius, view, mostArrows).map(({ at, v }) => arrow(at, v))
      : undefined;
  const figure = planeFigure({
    title: titleOf(`${spec.problem}, ρ = ${rho}, η = ${rate}: ${race.sentence}`),
    plane,
    rho,
    start,
    paths: race.runs.map(({ id, name, course, dash }, i) => ({
      name,
      verdict: verdicts[race.stands[i]?.kind ?? "moving"],
      dashed: id !== "main",
      color: comparisonColors[id],
      dash: dash.join(" "),
      rows: rowsOf(course)
        .slice(0, entryAt(course, clock.step) + 1)
        .map(({ x1, x2, ahead1, ahead2 }) => ({
          point: [x1, x2] as const,
          ascentPoint: [ahead1, ahead2] as const,
        })),
    })),
    right: { ...rightMap(session), field },
    hallucinated: search.points.map(({ point, kind }) => ({ point, verdict: kind })),
    branch: search.branch && { ...search.branch, here: placesAt(search.branch, rho) },
  });
  const svg = figure(document).outerHTML;
  return `${svg.replace("<svg ", '<svg color="#111" style="color: #111; background: white" ')}\n`;
}

/** As many sentences as fit above both maps, the first in any case. */
function titleOf(words: string): string {
  const [first = "", ...rest] = words.split(/(?<=\.) /);
  let title = first;
  for (const sentence of rest) {
    if (title.length + sentence.length > mostLetters) break;
    title += ` ${sentence}`;
  }
  return title;
}

/** The right map in the layer that is shown. */
function rightMap(session: Session): RightMap {
  const { scenario, pictures, basins } = session;
  if (scenario.fields.layer === "basins" && basins.picture) {
    return { of: "basins", words: endsWords(session), cells: basins.picture };
  }
  const { seenShade } = pictures;
  const value = pictures.valueOf(seenShade);
  const ways = scenario.fields.field ? ", and its way −g⁺" : "";
  return {
    of: seenShade === "shiftedGradNorm" ? "slope" : "loss",
    words: `${seenTitle(session)}, at ρ = ${scenario.rho}${ways}`,
    value: ([x1, x2]) => value(x1, x2),
  };
}
