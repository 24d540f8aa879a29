/** Fields that the address of the planes view has beside the run's own. */
import { choice, findMethod, flag, number } from "lucid-sam/sam";
import { InputError } from "lucid-sam/engine";
import { z } from "zod";

/** Steps of a run at most: all of them are kept, and walked anew whenever something moves. */
export const mostSteps = 100_000;

/** What the right map can show. */
export const layers = ["surrogate", "slope", "basins"] as const;
export type Layer = (typeof layers)[number];

/** The name of a method, or none. */
const rival = z
  .string()
  .transform((name, context) => {
    if (name === "none") return name;
    try {
      return findMethod(name).name;
    } catch (error) {
      const message = error instanceof InputError ? error.message : String(error);
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    }
  })
  .default("none")
  .describe("a second method from the same start");

const step = number(0, "the step shown; default: the last", { min: 0, integer: true });

export const planeFields = z.strictObject({
  layer: choice(
    layers,
    "surrogate",
    "what the right map shows: f(x⁺), ‖g⁺‖, or where runs from every start end",
  ),
  field: flag(true, "whether arrows show the way that the method takes, −g⁺"),
  descent: flag(true, "whether plain descent runs from the same start"),
  turn: number(0, "where a third run turns from descent to the method, in steps; 0: no such run", {
    min: 0,
    integer: true,
  }),
  rival,
  shown: step
    .unwrap()
    .optional()
    .describe(step.description ?? ""),
  cells: number(256, "cells of a map of basins from side to side", {
    min: 16,
    max: 512,
    integer: true,
  }),
  budget: number(2000, "steps that a run in a map of basins may take", {
    min: 1,
    max: 1e6,
    integer: true,
  }),
});

export type PlaneFields = z.output<typeof planeFields>;

/** A run that the view shows where its address names no problem: the first station of the story. */
export const planePreset = { problem: "ridge", rho: "1.6", lr: "0.02", steps: "300" };
