import { expect, test } from "vitest";
import { torchUniform } from "./torch-random.ts";

test("draws what PyTorch 2.15 draws for nn.Linear(4, 3) and nn.Linear(3, 2) after manual_seed(3)", () => {
  const uniform = torchUniform(3);
  const draw = (count: number, bound: number) =>
    Array.from({ length: count }, () => uniform(-bound, bound));
  // torch.nn.Linear(4, 3).weight, .bias, torch.nn.Linear(3, 2).weight; printed by PyTorch.
  expect(draw(12, 1 / 2)).toEqual([
    -0.4957364797592163, -0.39443063735961914, -0.21415752172470093, -0.4730451703071594,
    -0.028385639190673828, -0.4398837089538574, 0.2718658447265625, 0.24369937181472778,
    0.09442120790481567, 0.387856662273407, -0.04896867275238037, 0.29949063062667847,
  ]);
  expect(draw(3, 1 / 2)).toEqual([-0.3501591086387634, -0.09853118658065796, -0.445823073387146]);
  expect(draw(6, 1 / Math.sqrt(3))).toEqual([
    -0.04687478765845299, -0.3745788037776947, 0.5186716914176941, 0.40104901790618896,
    0.43284669518470764, 0.17125412821769714,
  ]);
});
