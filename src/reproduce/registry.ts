/** Registry of recipes: every figure of Park et al. 2025 (arXiv 2509.21818), by its number. */
import { constructions } from "./constructions.ts";
import { throughThePoint } from "./figure-4.ts";
import { stalls } from "./figure-5.ts";
import { residual } from "./figure-6.ts";
import type { Recipe } from "./recipe.ts";
import { ridgeBasins, ridgeMaps } from "./ridge.ts";

/** All recipes, quick ones first. */
export const recipes: readonly Recipe[] = [
  ridgeMaps,
  constructions,
  throughThePoint,
  ridgeBasins,
  stalls,
  residual,
];
