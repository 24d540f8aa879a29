/** Digits of numbers that people read. */

/** A number with at most so many significant digits: `rounded(0.12345, 2)` is 0.12. */
export const rounded = (value: number, digits: number): number => Number(value.toPrecision(digits));
