/** Tables of docs/screen.md: false alarms one by one, runs of one radius, mini-batches of MNIST. */
import { readFileSync } from "node:fs";
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
        run.k > 0 ? `${digits(100 * descended(one, 0.5 * at, at))} %` : "–",
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

/** What held.ts saw at three false alarms: losses after so many steps more, of SAM and of descent. */
export function held(): string {
  const file = readFileSync(new URL("held.jsonl", import.meta.url), "utf8");
  const seen = file
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly [name: string]: number });
  const loss = (value: number | undefined) => digits(value ?? NaN, 4);
  return markdown(
    ["seed", "loss at step 152", "SAM, 64 steps on", "descent, 8 steps on", "descent, 64 steps on"],
    seen.map((run) => [
      run["seed"] ?? NaN,
      loss(run["loss"]),
      loss(run["samLoss"]),
      loss(run["descentLoss"]),
      loss(run["manyLoss"]),
    ]),
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

/** The runs on mini-batches of MNIST, by radius: from their own rows, and from probes. */
export function onMiniBatches(judged: readonly Judged[]): string {
  const of = (family: string) => judged.filter(({ run }) => run.family === family);
  const [own, probed] = [of("our mnist, batches"), of("our mnist")];
  const range = (values: readonly string[]) => [...new Set(values)].join(" to ");
  const steps = (some: readonly Judged[]) => {
    const found = some
      .flatMap(({ run, warned }) => (warned === undefined ? [] : [Math.round(warned * run.steps)]))
      .toSorted((a, b) => a - b);
    const which = found.length === some.length ? "" : ` (${found.length} of ${some.length})`;
    const ends = found.filter((_, i) => i === 0 || i === found.length - 1).map(String);
    return found.length === 0 ? "never" : `at step ${range(ends)}${which}`;
  };
  const verdicts = (some: readonly Judged[]) =>
    [...new Set(some.map(({ verdict }) => `\`${verdict}\``))].join(", ");
  const lines = [...new Set(own.map(({ run }) => run.rho))].map((rho) => {
    const [rows, probes] = [own, probed].map((some) => some.filter(({ run }) => run.rho === rho));
    const losses = (rows ?? []).map(({ run }) => run.end ?? NaN).toSorted((a, b) => a - b);
    const ends = losses.filter((_, i) => i === 0 || i === losses.length - 1);
    return [
      radiusOf(rows ?? []).slice("ρ = ".length),
      range(ends.map((loss) => digits(loss, 3))),
      steps(rows ?? []),
      steps(probes ?? []),
      verdicts(rows ?? []),
      verdicts(probes ?? []),
    ];
  });
  return markdown(
    [
      "ρ",
      "loss at the end",
      "warned, from mini-batches alone",
      "warned, with a probe",
      "verdicts, from mini-batches alone",
      "with a probe",
    ],
    lines,
  );
}
