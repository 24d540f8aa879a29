/** The layer of basins: the map of where runs end, computed while it is shown. */
import { lineOf } from "../shared/line.ts";
import { basinMarks } from "./basin-marks.ts";
import { Basins, type BasinPicture } from "./basins.ts";
import type { Race } from "./race.svelte.ts";
import type { Scenario } from "./scenario.svelte.ts";
import { knobValues } from "./walk.ts";

export class BasinLayer {
  #workers: Basins | undefined;
  /** The map as far as it is computed; nothing where another layer is shown. */
  picture = $state.raw<BasinPicture>();
  error = $state("");
  /** Ends that occur, with their share of the starts. */
  readonly ends = $derived.by(() => {
    const shares = this.picture?.shares;
    if (shares === undefined) return [];
    return Object.entries(basinMarks)
      .map(([end, mark]) => ({ ...mark, end, share: shares[end as keyof typeof shares] }))
      .filter(({ share }) => share > 0);
  });

  constructor(scenario: Scenario, race: Race) {
    const scene = $derived(scenario.fields.layer === "basins" ? race.scene : undefined);
    $effect(() => {
      if (scene === undefined) {
        this.picture = undefined;
        return;
      }
      const { fields, view, rate, plane, radius: rho } = scenario;
      const values = knobValues(scene, { rho });
      this.#workers ??= new Basins();
      this.error = "";
      try {
        this.#workers.start(
          {
            code: scene.basins,
            knobs: Object.fromEntries(scene.knobs.map(([name], i) => [name, values[i] ?? 0])),
            view,
            columns: fields.cells,
            rows: fields.cells,
            steps: fields.budget,
            rate,
            minimum: plane.minimum,
          },
          (picture) => (this.picture = picture),
          (line) => (this.error = line),
        );
      } catch (error) {
        this.error = lineOf(error);
      }
    });
  }

  end(): void {
    this.#workers?.end();
  }
}
