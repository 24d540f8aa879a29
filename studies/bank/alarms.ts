/** False alarms one by one, and runs of one radius side by side: tables of docs/screen.md. */
import { radiusWords } from "../../src/run/radius.ts";
import { markdown } from "../tables/table.ts";
import { early, lossBefore, share, type Judged } from "./report.ts";

/** ρ of runs that share it, beside the norm of their starts. */
const radiusOf = (some: readonly Judged[]) =>
  radiusWords(
    some[0]?.run.rho ?? NaN,
    some.map(({ run }) => run.rho / run.x0),
  );

const digits = (value: number, count = 2) => String(Number(value.toPrecision(count)));

/** Means of ⟨g, g⁺⟩ and of ‖g‖² over some steps: what a step along g⁺ is worth beside one along g. */
function agreement({ run: { rows } }: Judged, from: number, to: number): number {
  let [product, square] = [0, 0];
  for (const [step, , , grad, shifted, cosine] of rows) {
    if (step == null || grad == null || shifted == null || cosine == null) continue;
    if (step < from || step > to) continue;
    product += grad * shifted * cosine;
    square += grad ** 2;
  }
  return product / square;
}

/** What the counterfactual took from the loss in the mean, over some steps. */
function descended({ run: { rows } }: Judged, from: number, to: number): number {
  const falls = rows.flatMap(([step, loss, , , , , after]) =>
    step != null && loss != null && after != null && step >= from && step <= to
      ? [(loss - after) / loss]
      : [],
  );
  return falls.reduce((sum, fall) => sum + fall, 0) / falls.length;
}

/**
 * False alarms of warnings that do not wait: what the loss did, what a step along g⁺ was worth beside
 * one along g in the quarter before, what descent in a copy took there, and whether the screen, which
 * waits, warns.
 */
export function alarms(hasty: readonly Judged[], judged: readonly Judged[]): string {
  const lines = hasty.flatMap((one, i) => {
    const { run, label, warned } = one;
    if (label !== "trained" || warned === undefined) return [];
    const at = Math.round(warned * run.steps);
    const then = lossBefore(run, at, 0.2 * at);
    const half = run.rows.find(
      ([step]) => step != null && step > at && lossBefore(run, step, 0.2 * at) < then / 2,
    );
    const now = judged[i]?.warned;
    return [
      [
        `${run.family}, ${radiusOf([one])}, seed ${run.seed}`,
        at,
        digits(then),
        digits(lossBefore(run, 2 * at, 0.2 * at)),
        half?.[0] ?? "never",
        digits(run.end ?? NaN),
        digits(agreement(one, 0.75 * at, at)),
        `${digits(100 * descended(one, 0.5 * at, at))} %`,
        now === undefined ? "–" : Math.round(now * run.steps),
      ],
    ];
  });
  return markdown(
    [
      "run",
      "evidence at step",
      "loss then",
      "after as many again",
      "half of it gone at",
      "at the end",
      "⟨g, g⁺⟩/‖g‖²",
      "8 descent steps take",
      "warned at step",
    ],
    lines,
  );
}

/** Radii at which some seeds stall and some train. */
export function withinRadius(judged: readonly Judged[]): string {
  const groups = Map.groupBy(judged, ({ run }) => `${run.family} ${run.rho}`);
  const lines = [...groups.values()].flatMap((some) => {
    const [stalled, trained] = (["stalled", "trained"] as const).map((label) =>
      some.filter((one) => one.label === label),
    );
    if (!stalled?.length || !trained?.length || some[0]?.run.family === "figure-5") return [];
    return [{ name: `${some[0]?.run.family}, ${radiusOf(some)}`, some, stalled, trained }];
  });
  const row = (name: string, stalled: readonly Judged[], trained: readonly Judged[], n: number) => [
    name,
    n,
    share(stalled, early),
    share(trained, ({ warned }) => warned !== undefined),
  ];
  return markdown(
    ["radius", "seeds", "stalls warned of in time", "false alarms"],
    [
      ...lines.map(({ name, some, stalled, trained }) => row(name, stalled, trained, some.length)),
      row(
        "**all**",
        lines.flatMap(({ stalled }) => stalled),
        lines.flatMap(({ trained }) => trained),
        lines.reduce((sum, { some }) => sum + some.length, 0),
      ),
    ],
  );
}
