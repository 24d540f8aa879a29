/** Names of the files of an exported problem. */

/** Files of an exported problem. */
export const importFiles = {
  /** Losses as a function of parameters, buffers and samples, in evaluation. */
  loss: "loss.onnx",
  /** The same in training; absent where that is the same function. */
  train: "train.onnx",
  /** Parameters and buffers by PyTorch's names. */
  point: "point.safetensors",
  /** Samples. */
  batch: "batch.safetensors",
} as const;
