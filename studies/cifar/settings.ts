/** Settings of the residual network on CIFAR-100, ours and PyTorch's. */
export const settings = {
  /** The first so many training images, and test images to be judged on. */
  n: 10000,
  test: 2000,
  depth: 8,
  width: 16,
  batch: 128,
  epochs: 10,
  crop: 4,
  flip: true,
  cutout: 8,
  lr: 0.1,
  schedule: "cosine",
  momentum: 0.9,
  weightDecay: 1e-3,
  rho: 0.1,
} as const;
