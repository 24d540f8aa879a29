/** Fields that the address of the networks view has beside the run's own. */
import { flag, number } from "lucid-sam/sam";
import { z } from "zod";
import { turnPattern } from "./turns.ts";

const turn = z.string().regex(turnPattern, "give a step and a method, such as 3200:gd or 0:sam:2");

export const networkFields = z.strictObject({
  logarithmic: flag(true, "whether losses are drawn on a logarithmic scale"),
  play: z
    .preprocess((value) => (value === "1" ? "true" : value), flag(false, ""))
    .default(false)
    .describe("whether the run goes on by itself"),
  at: number(0, "step to stand at; default: the last that was taken", { min: 0, integer: true })
    .unwrap()
    .optional(),
  turns: z
    .preprocess(
      (value) => (typeof value === "string" && value !== "none" ? value.split(",") : value),
      z.union([z.literal("none").transform((): string[] => []), z.array(turn)], {
        error: "give steps and methods, such as 3200:gd,5000:sam:2",
      }),
    )
    .default([])
    .describe("methods that take over on the way, in place"),
  fork: turn.optional().describe("step from which a second run goes on beside, and its method"),
  seconds: number(20, "seconds that the whole run is played in, if this machine can; 0: at once", {
    min: 0,
    max: 3600,
  }),
});

/** The network, and the start, of docs/hallucinated-minimizer.md. */
export const networkPreset = {
  problem: "regression",
  rho: "2",
  lr: "0.01",
  steps: "45000",
  start: "-0.49026082,-0.10984739,-0.06453957,0.0952704,0.1912387,-0.4470479,-0.51799646",
};
