/** Running statistics within one step: updated once, by its first gradient pass. */
import { np } from "../../engine/jax-js.ts";
import { select, selectTree } from "../../engine/arrays.ts";
import type { ArrayTree } from "../../engine/program.ts";

/** Updated statistics; when only one side of a branch updated them, they count where `where` holds. */
export interface Update {
  readonly statistics: ArrayTree;
  readonly where?: np.Array;
}

/** The update after one more pass, which saw `seen`: the first pass is the one that counts. */
export function afterPass(
  update: Update | undefined,
  seen: ArrayTree | undefined,
): Update | undefined {
  if (seen === undefined || (update && !update.where)) return update;
  if (!update?.where) return { statistics: seen };
  return { statistics: selectTree(update.where, update.statistics, seen) };
}

/** The update after a branch that made `yes` where `on` holds and `no` elsewhere. */
export function eitherUpdate(
  on: np.Array,
  yes: Update | undefined,
  no: Update | undefined,
): Update | undefined {
  const some = yes ?? no;
  if (yes === no || some === undefined) return yes;
  const statistics = selectTree(on, (yes ?? some).statistics, (no ?? some).statistics);
  if (yes && no && !yes.where && !no.where) return { statistics };
  const holds = (update: Update | undefined) =>
    update ? (update.where ?? np.onesLike(on.ref)) : np.zerosLike(on.ref);
  return { statistics, where: select(on, holds(yes), holds(no)) };
}

/** The statistics after the step; `old` where no pass updated them. */
export function settled(update: Update | undefined, old: ArrayTree | undefined) {
  if (!update) return undefined;
  return update.where && old ? selectTree(update.where, update.statistics, old) : update.statistics;
}
