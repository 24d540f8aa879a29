/** Descriptions of both maps: titles, and what is seen on them for those who do not see it. */
import type { CriticalSet } from "lucid-sam/problems";
import type { Session } from "./session.svelte.ts";
import { entryAt, pointAt } from "./walk.ts";
import { nameOf, say, standWords } from "./words.ts";

/** `0.5, −1.2` */
const pointWords = (point: readonly number[]) => point.map((x) => say(x, 3)).join(", ");

/** `a saddle at (0, 0), 2 minimizers` */
function criticalWords(critical: readonly CriticalSet[]): string {
  const words = Array.from(
    Map.groupBy(critical, ({ kind }) => kind),
    ([kind, sets]) => {
      if (sets.some(({ points }) => points.length > 1)) return `curves of ${kind}s`;
      if (sets.length > 1) return `${sets.length} ${kind}s`;
      return `a ${kind} at (${pointWords(sets[0]?.points[0] ?? [0, 0])})`;
    },
  );
  return words.join(", ") || "no critical points";
}

/** The left map: the loss, and where the runs stand. */
export function lossWords({ scenario, clock, race }: Session): string {
  const { view, plane, start, broken } = scenario;
  if (broken !== undefined) return `Nothing yet. The start is at (${start.join(", ")}).`;
  const runs = race.runs.map(({ name, course }, i) => {
    const at = pointAt(course, entryAt(course, clock.step));
    return `${name} is ${standWords(race.stands[i] ?? { kind: "moving" })} at (${pointWords(at)}).`;
  });
  return `f over x₁ from ${view[0].join(" to ")} and x₂ from ${view[1].join(" to ")}, with ${criticalWords(plane.critical)}. Runs start at (${start.join(", ")}). ${runs.join(" ")}`;
}

/** A method's name within a sentence. */
const walker = (method: string) => (method === "gd" ? "descent" : nameOf(method));

/** What the right map is called. */
export function seenTitle({ scenario: { spec, fields } }: Session): string {
  switch (fields.layer) {
    case "surrogate":
      return `f(x⁺), what ${spec.method === "gd" ? "SAM" : nameOf(spec.method)} sees`;
    case "slope":
      return "‖g⁺‖, the slope that it sees";
    case "basins":
      return `Where ${walker(spec.method)} ends, from every start`;
    default:
      return fields.layer satisfies never;
  }
}

/** The right map: what is seen, or where runs end. */
export function seenWords({ scenario: { fields, rho, broken }, basins, search }: Session): string {
  if (broken !== undefined) return "Nothing yet.";
  if (fields.layer !== "basins") {
    return `What is seen from ρ = ${rho} uphill of every point, in the colors of the left map. ${search.points.length} hallucinated points were found.`;
  }
  const ends = basins.ends.map(
    ({ words, share }) => `${words} from ${Math.round(100 * share)} % of the starts`,
  );
  return `Ends after at most ${fields.budget} steps: ${ends.join(", ")}.`;
}

/** The map of where runs end, where a title has to say it all. */
export function endsWords({ scenario: { spec, fields }, basins: { picture } }: Session): string {
  const stride = picture?.stride ?? 1;
  const sparse = stride > 1 ? `, of every ${stride * stride} starts one` : "";
  return `Where ${walker(spec.method)} ends within ${fields.budget.toLocaleString("en-US")} steps${sparse}`;
}
