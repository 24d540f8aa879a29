/** Refusals of the native engine: what has no kernel. */
import { UnsupportedError } from "../program.ts";

/** @param types the types at hand: `float64[3, 3]`. */
export const unsupported = (operation: string, types: string): UnsupportedError =>
  new UnsupportedError("native", operation, `${types} (use --engine jax)`);
