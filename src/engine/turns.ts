/** Turns: pieces of work that this thread and others share, each taking the next one when it is free. */

/**
 * Do the pieces 0 … `pieces` − 1, each once, by `here` or by one of `apart`; the results are in the order
 * of the pieces. Whoever works apart has a piece ahead, since this thread, which hands them out, hears
 * nothing while it computes.
 */
export async function inTurns<Worker, Result>(
  pieces: number,
  here: Worker,
  apart: readonly Worker[],
  work: (worker: Worker, piece: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const take = async (worker: Worker) => {
    while (next < pieces) {
      const piece = next++;
      results[piece] = await work(worker, piece);
    }
  };
  await Promise.all([here, ...apart, ...apart].map(take));
  return results;
}
