/** Fields of the address of the runs view. It names no run to compute: what it shows was stored. */
import { choice, flag } from "lucid-sam/sam";
import { z } from "zod";

const text = (description: string) => z.string().max(4000).default("").describe(description);

/** What can be drawn of every step of a run. */
export const quantities = [
  "loss",
  "shiftedLoss",
  "lossGap",
  "gradNorm",
  "shiftedGradNorm",
  "gradRatio",
  "cosine",
] as const;

export type Quantity = (typeof quantities)[number];

export const runFields = z.strictObject({
  item: text("path of the run, study, log, point or file that is shown"),
  cell: text("cell of the study whose run is shown"),
  x: text("axis from left to right of the map of verdicts"),
  y: text("axis from top to bottom of it"),
  filter: text("words that the rows of the table have: rho=2 hallucinated"),
  pick: text("rows that are picked, in the same words: rho=2 method=sam | rho=4"),
  sort: text("column that the table is sorted by"),
  descending: flag(false, "whether the greatest comes first"),
  quantity: choice(quantities, "loss", "what the curves of a study show"),
  logarithmic: flag(true, "whether curves have a logarithmic scale"),
  stretch: z
    .string()
    .regex(/^(\d{1,12},\d{1,12})?$/, { error: "give two steps, such as 100,400" })
    .default("")
    .describe("steps that are looked at: 100,400"),
  map: text("names of columns in a log by ours: gradNorm:train/gn,loss:train/loss"),
  evidence: choice(
    ["header", "full", "probe", "batch"],
    "header",
    "what the rows of a log were taken on; header: as it says itself",
  ),
});
