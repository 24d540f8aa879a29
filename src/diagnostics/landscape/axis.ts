/** Axes of landscapes: what the coordinates along one mean, and what it is called. */

/** What is said of an axis. */
export interface AxisInfo {
  /** Its direction: `the gradient g`, `a filter-normalized direction (seed 0)`. */
  readonly name: string;
  /** What coordinates along it are. */
  readonly unit: string;
  /** Share of the variance of a run's points that lies along it, 0 to 1; only principal components have one. */
  readonly share?: number | undefined;
}

/** The unit of all axes of norm 1: ‖x − x₀‖₂ between parameters. */
export const axisUnit = "distance";

/** What an axis is called in labels: `principal component 1 (93.2 %)`. */
export const axisLabel = ({ name, share }: Pick<AxisInfo, "name" | "share">): string =>
  share === undefined ? name : `${name} (${(100 * share).toPrecision(3)} %)`;
