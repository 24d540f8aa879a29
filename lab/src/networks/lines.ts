/** Lines of the charts: losses, gradients, their ratio and accuracies of a run and of its fork. */
import type { Line } from "../shared/step-lines.ts";
import type { Track } from "./track.svelte.ts";

type Row = Track["rows"][number];
type Scored = Track["scores"][number];

/** What is drawn. */
export interface Runs {
  readonly main: Track | undefined;
  readonly fork: Track | undefined;
  /** What the fork is called. */
  readonly forkWords: string;
  /** Whether the run looks ahead. */
  readonly shifts: boolean;
}

function line(
  track: Track | undefined,
  words: string,
  color: string,
  at: (row: Row) => number,
  dash?: string,
): Line[] {
  if (track === undefined) return [];
  const steps = track.rows.map(({ step }) => step);
  return [{ words, color: `var(${color})`, dash, steps, values: track.rows.map(at) }];
}

/** Losses at x, and at x⁺ where the run looks ahead. */
export const lossLines = ({ main, fork, forkWords, shifts }: Runs): Line[] => [
  ...line(main, "f(x), the loss", "--descent", (row) => row.loss),
  ...(shifts ? line(main, "f(x⁺), what it sees", "--sam", (row) => row.shiftedLoss, "6 4") : []),
  ...line(fork, forkWords, "--switch", (row) => row.loss),
];

/** Norms of the gradients at x, and at x⁺ where the run looks ahead. */
export const gradientLines = ({ main, fork, forkWords, shifts }: Runs): Line[] => [
  ...line(main, "‖g‖, the slope", "--descent", (row) => row.gradNorm),
  ...(shifts
    ? line(main, "‖g⁺‖, the slope it follows", "--sam", (row) => row.shiftedGradNorm, "6 4")
    : []),
  ...line(fork, `‖g‖ of the ${forkWords}`, "--switch", (row) => row.gradNorm),
];

/** ‖g⁺‖/‖g‖ */
export const ratioLines = ({ main, fork, forkWords }: Runs): Line[] => [
  ...line(main, "GradRatio ‖g⁺‖/‖g‖", "--sam", (row) => row.gradRatio),
  ...line(fork, forkWords, "--switch", (row) => row.gradRatio),
];

/** Shares of samples that are classified correctly; none where nothing is classified. */
export const accuracyLines = ({ main, fork, forkWords }: Runs): Line[] => [
  ...accuracy(main, "", "--descent"),
  ...accuracy(fork, `${forkWords}, `, "--switch"),
];

function accuracy(track: Track | undefined, words: string, color: string): Line[] {
  const scored = track?.scores.filter(({ train }) => train.score !== undefined) ?? [];
  if (scored.length === 0) return [];
  const tested = scored.filter(({ test }) => test?.score !== undefined);
  const of = (what: string, rows: typeof scored, at: (row: Scored) => number | undefined) => ({
    words: `${words}${what}`,
    color: `var(${color})`,
    steps: rows.map(({ step }) => step),
    values: rows.map((row) => at(row) ?? NaN),
  });
  return [
    { ...of("training", scored, ({ train }) => train.score), dash: "2 4" },
    ...(tested.length > 0 ? [of("test", tested, ({ test }) => test?.score)] : []),
  ];
}
