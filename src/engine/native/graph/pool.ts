/** jax-js's `pool` (all windows of an array as new axes) and its transpose. */
import type { Builder } from "./builder.ts";
import type { Node } from "./graph.ts";
import { product, range } from "./shapes.ts";

/** Offsets inside a window, in row-major order. */
const offsets = (window: readonly number[]): number[][] =>
  window.reduce<number[][]>(
    (all, side) => all.flatMap((offset) => range(side).map((i) => [...offset, i])),
    [[]],
  );

const isTiling = (window: readonly number[], strides: readonly number[]): boolean =>
  window.every((side, i) => side === strides[i]);

/**
 * Windows over the last axes of `x`: `[…, …positions, …window]`. Windows that tile the array
 * are a view; overlapping ones are stacked slices.
 */
export function pool(
  b: Builder,
  x: Node,
  window: readonly number[],
  strides: readonly number[],
): Node {
  const { lead, positions, n } = layout(x.type.shape, window, strides);
  if (isTiling(window, strides)) {
    const covered = [...lead, ...positions.map((count, i) => count * (window[i] as number))];
    const cut = b.slice(
      x,
      covered.map(() => 0),
      covered,
    );
    const tiles = b.reshape(cut, [
      ...lead,
      ...positions.flatMap((count, i) => [count, window[i] as number]),
    ]);
    const axes = range(n).map((i) => lead.length + 2 * i);
    return b.transpose(tiles, [...range(lead.length), ...axes, ...axes.map((axis) => axis + 1)]);
  }
  const slices = offsets(window).map((offset) => {
    const starts = [...lead.map(() => 0), ...offset];
    const ends = [
      ...lead,
      ...offset.map((o, i) => o + ((positions[i] as number) - 1) * (strides[i] as number) + 1),
    ];
    const steps = [...lead.map(() => 1), ...strides];
    return b.reshape(b.slice(x, starts, ends, steps), [...lead, ...positions, 1]);
  });
  return b.reshape(b.concatenate(slices, lead.length + n), [...lead, ...positions, ...window]);
}

/** The transpose of {@link pool}: add every window back where it came from. */
export function poolTranspose(
  b: Builder,
  x: Node,
  shape: readonly number[],
  window: readonly number[],
  strides: readonly number[],
): Node {
  const { lead, positions, n } = layout(shape, window, strides);
  const zeros = lead.map(() => 0);
  if (isTiling(window, strides)) {
    const interleave = range(n).flatMap((i) => [lead.length + i, lead.length + n + i]);
    const tiles = b.transpose(x, [...range(lead.length), ...interleave]);
    const covered = [...lead, ...positions.map((count, i) => count * (window[i] as number))];
    const missing = shape.map((side, axis) => side - (covered[axis] as number));
    return b.pad(
      b.reshape(tiles, covered),
      missing.map(() => 0),
      missing,
    );
  }
  const flat = b.reshape(x, [...lead, ...positions, product(window)]);
  const parts = offsets(window).map((offset, k) => {
    const starts = [...zeros, ...positions.map(() => 0), k];
    const piece = b.slice(flat, starts, [...lead, ...positions, k + 1]);
    const spread = positions.map((count, i) => (count - 1) * (strides[i] as number) + 1);
    return b.pad(
      b.reshape(piece, [...lead, ...positions]),
      [...zeros, ...offset],
      [
        ...zeros,
        ...spread.map(
          (side, i) => (shape[lead.length + i] as number) - side - (offset[i] as number),
        ),
      ],
      [...zeros, ...strides.map((stride) => stride - 1)],
    );
  });
  return parts.reduce((sum, part) => b.add(sum, part));
}

function layout(shape: readonly number[], window: readonly number[], strides: readonly number[]) {
  const n = window.length;
  const lead = shape.slice(0, shape.length - n);
  const positions = window.map((side, i) =>
    Math.ceil(((shape[lead.length + i] as number) - side + 1) / (strides[i] as number)),
  );
  return { lead, positions, n };
}
