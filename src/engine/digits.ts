/** Digits of numbers that people read. */

/** A number with at most so many significant digits: `rounded(0.12345, 2)` is 0.12. */
export const rounded = (value: number, digits: number): number => Number(value.toPrecision(digits));

/** The shortest decimal that rounds to the same float32: 1e-5 for 9.99999975e-6. */
export function shortest(value: number): number {
  const single = Math.fround(value);
  for (let digits = 1; digits <= 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === single) return text;
  }
  return value;
}

/** Most significant bits of a fraction that was plausibly meant as float32 holds it. */
const shortBits = 12;

/** Whether a number looks like a longer one rounded to float32: 0.375, 3 and the double 0.1 do not. */
export function isRounded(value: number): boolean {
  if (Math.fround(value) !== value || Number.isInteger(value) || !Number.isFinite(value)) {
    return false;
  }
  return !Number.isInteger(value * 2 ** (shortBits - 1 - Math.floor(Math.log2(Math.abs(value)))));
}
