/** The page of a landscape: its maps, and on a plane the surface to be turned. */
import { axisWords, landscapeFigure, type LandscapeData } from "../figures/landscape.ts";
import { escape, page, picture } from "./page.ts";
import { surfaceViewer } from "./surface/bundle.ts";
import type { SurfaceData } from "../surface/data.ts";
import { ids } from "./surface/ids.ts";
import { short } from "./words.ts";

/** The page, as HTML that needs nothing but itself; `command` made it. */
export async function landscapePage(data: LandscapeData, command: string): Promise<string> {
  return page(
    data.title,
    `<h1>${escape(data.title)}</h1>
<p>ρ = ${data.rho}${data.relativeRho === undefined ? "" : `, ρ/‖x‖ = ${short(data.relativeRho)}`}. Coordinates are distances between parameters; x is at 0.</p>
${picture(
  landscapeFigure(data),
  "What to look at: where SAM stands still, the map of what it sees has a hollow. Where the loss itself has none there, SAM is drawn to a place that solves nothing.",
)}
${data.axes.length < 2 ? "" : await surface(data)}
<p class="small">Made by <code>${escape(command)}</code>.</p>`,
  );
}

async function surface(data: LandscapeData): Promise<string> {
  const finite = (values: readonly number[]) =>
    values.map((value) => (Number.isFinite(value) ? Number(value.toPrecision(6)) : null));
  const [xs = [], ys = []] = data.ticks;
  const given: SurfaceData = {
    axes: [axisWords(data, 0), axisWords(data, 1)],
    ticks: [xs, ys],
    surfaces: [
      { name: "the loss f", values: finite(data.loss) },
      { name: "what SAM sees, f(x⁺)", values: finite(data.shiftedLoss) },
    ],
    paths: data.paths.map(({ coordinates }) => coordinates),
    marks: data.marks,
  };
  const choices = given.surfaces.map(
    ({ name }, i) =>
      `<label><input type="radio" name="surface" value="${i}"${i === 0 ? " checked" : ""}> ${escape(name)}</label>`,
  );
  // Text of a script ends at the first `</`.
  const json = JSON.stringify(given).replaceAll("<", "\\u003c");
  const script = (await surfaceViewer()).replaceAll("</script", "<\\/script");
  return `<div class="screen">
<h2>As a surface</h2>
<p id="${ids.choice}">${choices.join(" ")}</p>
<div id="${ids.stage}"></div>
<p class="small">Drag to turn, scroll to come closer; with the keyboard, Shift and arrow keys. Height and color are on one scale for both, logarithmic where the maps are.</p>
</div>
<script type="application/json" id="${ids.data}">${json}</script>
<script>${script}</script>`;
}
