/** Exports of the view: curves as a figure, both runs as rows, and all that is known of them. */
import { commandOf, type FieldsOf } from "../address.ts";
import { csvOf, pngOfSvg, type Exports } from "../shared/exports.ts";
import { build } from "./build.ts";
import type { DrawnRun } from "./curves.ts";
import type { Session } from "./session.svelte.ts";
import type { Track } from "./track.svelte.ts";
import type { RunSpec } from "lucid-sam/run";

/** What the view hands out, each made when it is asked for. */
export function exportsOf(
  session: Session,
  {
    spec,
    fields,
    forkWords,
  }: {
    readonly spec: RunSpec;
    readonly fields: FieldsOf<"networks">;
    /** What the fork is called. */
    readonly forkWords: string;
  },
): Exports {
  const { main, fork, certified } = session;
  const svg = async () => {
    const { curvesSvg } = await import("./curves.ts");
    return curvesSvg([main, fork].flatMap((track) => drawn(session, track)));
  };
  return {
    name: `${spec.problem}-${spec.method}`,
    command: fields.turns.length === 0 ? () => commandOf(spec) : undefined,
    ...(main &&
      main.rows.length > 0 && {
        svg,
        png: async () => pngOfSvg(await svg()),
        csv: () =>
          csvOf([
            ...main.rows.map((row) => ({ run: "main", ...row })),
            ...(fork?.rows ?? []).map((row) => ({ run: forkWords, ...row })),
          ]),
      }),
    json: () => ({
      address: location.hash,
      spec,
      turns: fields.turns,
      build,
      browser: navigator.userAgent,
      outcome: main && outcomeOf(main),
      fork: fork && {
        from: fields.fork,
        spec: session.specOf(fork, { step: Infinity }),
        outcome: outcomeOf(fork),
      },
      certificate:
        certified && "certificate" in certified
          ? { step: certified.step, ...certified.certificate }
          : undefined,
    }),
  };
}

/** A run as figures have it; none before its first verdict. The fork is named by what took over. */
function drawn(session: Session, track: Track | undefined): DrawnRun[] {
  if (track?.verdict === undefined || track.rows.length === 0) return [];
  const { step, rows, scores, verdict } = track;
  const spec = track === session.fork ? session.specOf(track, { step: Infinity }) : track.spec;
  return [{ spec, step, rows, scores, verdict }];
}

const outcomeOf = ({ step, isOver, verdict, warning, scores, lost, opened, rows }: Track) => ({
  step,
  isOver,
  verdict,
  warning,
  scores,
  firstNotFinite: lost,
  engine: opened && { name: opened.engine, device: opened.device, fallback: opened.fallback },
  rows,
});
