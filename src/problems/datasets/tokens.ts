/** Token sequences: samples of problems that predict what comes next. */
import type { Tensor } from "../../engine/tensor.ts";
import type { Split } from "../problem.ts";

/** Sequences, and what follows their last places. */
export interface TokenSplit extends Split {
  readonly batch: {
    /** int32 [samples, places]: numbers of tokens. */
    x: Tensor;
    /** int32 [samples, predicted]: for each of the last places the token that follows it. */
    y: Tensor;
  };
}

/** Samples of a problem that predicts tokens. */
export interface TokenSamples {
  readonly kind: "tokens";
  readonly train: TokenSplit;
  /** Absent where there is nothing to hold back. */
  readonly test?: TokenSplit | undefined;
  /** Tokens are 0 … vocabulary − 1. */
  readonly vocabulary: number;
}
