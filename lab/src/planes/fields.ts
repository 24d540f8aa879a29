/** Fields that the address of the planes view has beside the run's own. */
import { number } from "lucid-sam/sam";
import { z } from "zod";

export const planeFields = z.strictObject({
  cells: number(160, "cells of a map from side to side", { min: 16, max: 512, integer: true }),
});

/** A run that the view shows where its address names no problem. */
export const planePreset = { problem: "ridge", rho: "1.6" };
