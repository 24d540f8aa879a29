/** The page of all figures: each with what the paper shows, what is different here, and what to look at. */
import { escape, page, picture } from "../report/page.ts";
import { duration } from "../report/words.ts";
import type { Made, Preset, Recipe } from "./recipe.ts";

/** A recipe and what it made; nothing where it was not asked for. */
export interface MadeRecipe {
  readonly recipe: Recipe;
  readonly made: readonly Made[];
}

/** `figure 4`, `figures 1 and 10` */
export const figureWords = ({ figures }: Pick<Recipe, "figures">): string =>
  `${figures.length === 1 ? "figure" : "figures"} ${figures.join(" and ")}`;

/** The page, as HTML that needs nothing but itself. */
export function reproductionPage(all: readonly MadeRecipe[], preset: Preset): string {
  return page(
    "The figures of “Sharpness-Aware Minimization Can Hallucinate Minimizers”, made anew",
    `<h1>The figures of “Sharpness-Aware Minimization Can Hallucinate Minimizers”, made anew</h1>
<p>Park, Jang, Ryu and Yang 2025, arXiv 2509.21818. Every figure here is computed by lucid-sam, with the
preset <code>${preset}</code>; beside each stands the table of its numbers (CSV) and the spec that made
it (JSON).</p>
${all.map(section).join("\n")}
<p class="small">Made by <code>lucid reproduce --preset ${preset}</code>.</p>`,
  );
}

const section = ({ recipe, made }: MadeRecipe): string => `<h2>${escape(recipe.title)}</h2>
<p class="small">In the paper: ${escape(figureWords(recipe))}. ${escape(recipe.paper)}</p>
<p class="small">Here: ${escape(recipe.ours)}</p>
<p><strong>What to look at.</strong> ${escape(recipe.look)}</p>
${made
  .map(({ name, figure, caption }) =>
    picture(
      figure,
      `${escape(caption)} <a href="${name}.svg">SVG</a> <a href="${name}.png">PNG</a> <a href="${name}.csv">numbers</a> <a href="${name}.json">spec</a>`,
    ),
  )
  .join("\n")}`;

/** `quick about 0:30, standard about 1:30:00` */
export const costWords = ({ seconds }: Recipe): string =>
  Object.entries(seconds)
    .map(([preset, count]) => `${preset} about ${duration(count)}`)
    .join(", ");
