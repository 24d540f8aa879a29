/** Fields that the address of the networks view has beside the run's own. */
import { flag } from "lucid-sam/sam";
import { z } from "zod";

export const networkFields = z.strictObject({
  logarithmic: flag(true, "whether losses are drawn on a logarithmic scale"),
});

/** A run that the view trains where its address names no problem: section 9 of the paper. */
export const networkPreset = { problem: "regression" };
