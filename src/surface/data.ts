/** Data of surfaces: heights over a grid, ways and points on it. */

/** What is shown of a landscape. */
export interface SurfaceData {
  /** Labels of the two axes: `along the gradient g, distance`. */
  readonly axes: readonly [string, string];
  /** Coordinates of the grid, ascending. */
  readonly ticks: readonly [readonly number[], readonly number[]];
  /** Heights in the order of the grid, the first axis running fastest; `null` where not finite. */
  readonly surfaces: readonly {
    readonly name: string;
    readonly values: readonly (number | null)[];
  }[];
  /** Ways over the surface, in coordinates. */
  readonly paths: readonly (readonly (readonly number[])[])[];
  /** Points with names. */
  readonly marks: readonly { readonly name: string; readonly at: readonly number[] }[];
}
