/** Whole runs to time: those of a small network, one by one or side by side in one program. */
import type { EngineName } from "../engine/engines.ts";
import { MachineError } from "../engine/errors.ts";
import { regression } from "../problems/networks/regression.ts";
import { prepareTraining } from "../run/training.ts";
import { sam } from "../sam/methods/sam.ts";
import { sgd } from "../sam/parts/outer.ts";
import type { Timed } from "./contender.ts";

/** So many runs of the 7-parameter network that SAM hallucinates on, of one seed each. */
export interface RunsSize {
  readonly runs: number;
  readonly sideBySide: boolean;
}

/** Of runs one by one so many are taken, and their time is scaled: all would take a minute a block. */
const taken = 4;

/** What takes steps of all runs, with all that training does beside them: screens, histories. */
export async function openRuns(
  { runs, sideBySide }: RunsSize,
  engine: EngineName,
  threads: number,
): Promise<Timed> {
  const training = await prepareTraining({
    problem: regression(),
    method: sam({ rho: 2, outer: sgd({ learningRate: 0.01 }) }),
    engine,
    threads,
  });
  const { compileMilliseconds } = training.program;
  const seeds = Array.from({ length: runs }, (_, seed) => seed);
  if (!sideBySide) {
    return {
      compileMilliseconds,
      share: taken / runs,
      async run(steps) {
        for (const seed of seeds.slice(0, taken)) await training.run({ steps, seed });
      },
    };
  }
  const began = performance.now();
  const ensemble = await training.ensemble(runs);
  if ("alone" in ensemble) throw new MachineError(`missing ensemble: ${ensemble.sentence}`);
  return {
    compileMilliseconds: performance.now() - began,
    async run(steps) {
      const seats = ensemble.seats(runs);
      await Promise.all(
        seats.map((seat, seed) =>
          training.run({ steps, seed, seat }).finally(() => {
            seat.leave();
          }),
        ),
      );
    },
  };
}
