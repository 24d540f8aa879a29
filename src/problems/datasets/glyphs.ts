/** Glyphs: the shapes of the digits, as a pen would write them. */

/** A point (x, y), y downward. */
export type Position = readonly [x: number, y: number];

/** A straight piece of a stroke. */
export interface Segment {
  readonly from: Position;
  readonly to: Position;
}

/**
 * Several ways to write each digit, as strokes: points on a grid 10 wide and 14 high, y downward.
 * Two points make a straight line, more a smooth curve through them, closed when it ends where it
 * began.
 */
const handwriting: readonly (readonly (readonly string[])[])[] = [
  // 0: oval, slanted and slim, not quite closed, slashed
  [
    ["5,0 2,2 1,7 2,12 5,14 8,12 9,7 8,2 5,0"],
    ["7,0 4,3 2,9 3,14 6,11 8,5 7,0"],
    ["6,1 3,1 1,6 2,12 5,14 8,12 9,6 7,1 4,0"],
    ["5,0 2,2 1,7 2,12 5,14 8,12 9,7 8,2 5,0", "9,1 1,13"],
  ],
  // 1: bare, with a flag, with flag and foot
  [["5,0 5,14"], ["2,4 5,0", "5,0 5,14"], ["3,3 5,0", "5,0 5,14", "2,14 8,14"]],
  // 2: straight foot, looped foot, angular
  [
    ["1,3 3,0 7,0 9,3 6,8 1,14", "1,14 9,14"],
    ["1,3 4,0 8,2 7,7 3,13 1,13 2,11 5,12 9,14"],
    ["1,1 5,0 8,3 6,8 2,13", "2,13 9,13"],
  ],
  // 3: round, flat-topped, with a looped waist
  [
    ["1,2 4,0 8,1 8,4 4,6.5", "4,6.5 8,8 9,11 6,14 3,14 1,12"],
    ["1,0 8,0", "8,0 4,6", "4,6 8,7 9,11 6,14 3,14 1,12"],
    ["2,1 6,0 8,3 5,6 3,7 5,7 8,10 5,14 1,13"],
  ],
  // 4: closed, open, open and round
  [
    ["7,0 1,9", "1,9 9,9", "7,0 7,14"],
    ["3,0 1,8", "1,8 9,8", "7,2 7,14"],
    ["2,0 1,5 3,8 8,7", "8,0 8,14"],
  ],
  // 5: angular, like an S
  [["8,0 2,0", "2,0 2,6", "2,6 6,5 9,9 7,13 4,14 1,12"], ["9,0 4,1 2,4 6,7 8,10 6,14 1,13"]],
  // 6: round, straight-backed, curled
  [["8,0 4,2 1,8 2,13 5,14 8,12 8,9 5,7 1,9"], ["6,0 2,7", "2,7 1,11 4,14 8,12 8,9 5,8 1,11"]],
  // 7: plain, crossed, curved
  [
    ["1,0 9,0", "9,0 4,14"],
    ["1,0 9,0", "9,0 4,14", "3,7 8,7"],
    ["1,2 1,0", "1,0 9,0", "9,0 6,5 5,14"],
  ],
  // 8: one stroke, two rings
  [
    ["8,2 5,0 2,2 3,5 7,8 9,11 5,14 1,11 3,8 7,5 8,2"],
    ["5,0 2,3 5,6.5 8,3 5,0", "5,6.5 1,10 5,14 9,10 5,6.5"],
  ],
  // 9: straight tail, curved tail, one slanted stroke
  [
    ["8,3 5,0 2,3 3,7 6,7 8,3", "8,2 8,14"],
    ["8,3 5,0 2,3 3,7 6,7 8,3", "8,3 8,9 6,13 2,13"],
    ["9,2 6,0 3,1 2,5 5,7 8,5 9,2", "9,2 4,14"],
  ],
];

/** Straight pieces per span between two points: short enough to look smooth. */
const piecesPerSpan = 5;

/**
 * The variants of every digit as straight pieces, `glyphs[digit][variant]`, in a frame around the
 * origin where they fill |x| ≤ 0.65 and |y| ≤ 1.
 */
export const glyphs: readonly (readonly (readonly Segment[])[])[] = handwriting.map((variants) =>
  variants.map((strokes) => strokes.flatMap(flatten)),
);

/** A stroke as straight pieces. */
function flatten(stroke: string): Segment[] {
  const points = stroke.split(" ").map((point): Position => {
    const [x = 0, y = 0] = point.split(",").map(Number);
    return [(0.65 * (x - 5)) / 5, (y - 7) / 7];
  });
  const last = points.length - 1;
  const closed = String(points[0]) === String(points[last]);
  const point = (i: number) =>
    points[closed ? (i + last) % last : Math.min(Math.max(i, 0), last)] as Position;
  const path = [point(0)];
  for (let span = 0; span < last; span++) {
    const around = [point(span - 1), point(span), point(span + 1), point(span + 2)] as const;
    for (let piece = 1; piece <= piecesPerSpan; piece++) {
      path.push(interpolate(around, piece / piecesPerSpan));
    }
  }
  return path.slice(1).map((to, i) => ({ from: path[i] as Position, to }));
}

/** The curve from the second to the third point at 0 ≤ t ≤ 1 (Catmull and Rom 1974). */
function interpolate([p, q, r, s]: readonly [Position, Position, Position, Position], t: number) {
  const along = (axis: 0 | 1) => {
    const linear = r[axis] - p[axis];
    const square = 2 * p[axis] - 5 * q[axis] + 4 * r[axis] - s[axis];
    const cube = 3 * (q[axis] - r[axis]) + s[axis] - p[axis];
    return q[axis] + 0.5 * t * (linear + t * (square + t * cube));
  };
  return [along(0), along(1)] as const;
}
