/** The viewer in the page of a landscape: reads the data from the page, and shows the surface chosen there. */
import { showSurface } from "../../surface/surface.ts";
import type { SurfaceData } from "../../surface/data.ts";
import { ids } from "./ids.ts";

const stage = document.getElementById(ids.stage);
const source = document.getElementById(ids.data);
if (stage !== null && source !== null) {
  try {
    const { choose } = showSurface(stage, JSON.parse(source.textContent) as SurfaceData);
    document.getElementById(ids.choice)?.addEventListener("change", ({ target }) => {
      if (target instanceof HTMLInputElement) choose(Number(target.value));
    });
  } catch (error) {
    // Without WebGL the maps above still tell all.
    stage.textContent = `The surface needs WebGL, which this browser does not give (${String(error)}). The maps above show the same values.`;
  }
}
