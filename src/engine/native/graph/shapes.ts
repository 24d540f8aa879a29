/** Arithmetic of shapes: broadcasting, and when views of an array can change places. */

/** NumPy's broadcast of shapes. */
export function broadcastShapes(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const sides = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    return sides.find((side) => side !== 1) ?? 1;
  });
}

/** A shape with ones put in front until it has `rank` axes. */
export const padRank = (shape: readonly number[], rank: number): number[] => [
  ...Array<number>(Math.max(0, rank - shape.length)).fill(1),
  ...shape,
];

export const range = (start: number, end?: number): number[] =>
  end === undefined
    ? Array.from({ length: start }, (_, i) => i)
    : Array.from({ length: Math.max(0, end - start) }, (_, i) => start + i);

export const product = (sides: readonly number[]): number => sides.reduce((p, side) => p * side, 1);

/** Axes of the old shape and axes of the new one that hold the same elements in the same order. */
export interface ReshapeGroup {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/**
 * Cut a reshape into the smallest independent groups of axes. Sides of 1 go with the group
 * before them.
 */
export function reshapeGroups(from: readonly number[], to: readonly number[]): ReshapeGroup[] {
  if (from.includes(0) || to.includes(0))
    return [{ from: range(from.length), to: range(to.length) }];
  const groups: { from: number[]; to: number[] }[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const group = { from: [] as number[], to: [] as number[] };
    let [left, right] = [1, 1];
    do {
      if ((left <= right && i < from.length) || j === to.length) {
        left *= from[i] as number;
        group.from.push(i++);
      } else {
        right *= to[j] as number;
        group.to.push(j++);
      }
    } while (left !== right);
    while (i < from.length && from[i] === 1) group.from.push(i++);
    while (j < to.length && to[j] === 1) group.to.push(j++);
    groups.push(group);
  }
  return groups;
}

/**
 * `reshape(expand(x, wide), to)` as `expand(reshape(x, result), to)`: the shape `result`, or
 * `undefined` when a group mixes expanded with real axes.
 */
export function reshapeBeforeExpand(
  narrow: readonly number[],
  wide: readonly number[],
  to: readonly number[],
): number[] | undefined {
  const result = [...to];
  for (const group of reshapeGroups(wide, to)) {
    const real = group.from.filter((axis) => wide[axis] !== 1);
    if (real.every((axis) => narrow[axis] === wide[axis])) continue;
    if (!real.every((axis) => narrow[axis] === 1)) return undefined;
    for (const axis of group.to) result[axis] = 1;
  }
  return result;
}

/**
 * `reshape(transpose(x, perm), to)` as `transpose(reshape(x, result.shape), result.perm)`, or
 * `undefined` when a group joins axes that are not neighbors in `x`.
 */
export function reshapeBeforeTranspose(
  shape: readonly number[],
  perm: readonly number[],
  to: readonly number[],
): { shape: number[]; perm: number[] } | undefined {
  const moved = perm.map((axis) => shape[axis] as number);
  const groups = reshapeGroups(moved, to);
  // Where each group starts in x; groups of ones only have no place and go last.
  const starts = groups.map((group) => {
    const axes = group.from.filter((axis) => moved[axis] !== 1).map((axis) => perm[axis] as number);
    const skipsOnes = axes.every(
      (axis, i) =>
        i === 0 ||
        ((axes[i - 1] as number) < axis &&
          range((axes[i - 1] as number) + 1, axis).every((between) => shape[between] === 1)),
    );
    return skipsOnes ? (axes[0] ?? shape.length) : undefined;
  });
  if (starts.includes(undefined)) return undefined;
  const order = range(groups.length).sort((a, b) => (starts[a] as number) - (starts[b] as number));
  const source = order.flatMap((g) => groups[g]?.to ?? []);
  return {
    shape: source.map((axis) => to[axis] as number),
    perm: range(to.length).map((axis) => source.indexOf(axis)),
  };
}
