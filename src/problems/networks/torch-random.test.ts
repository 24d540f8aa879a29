import { expect, test } from "vitest";
import { torchRandom } from "./torch-random.ts";

test("draws what PyTorch 2.15 draws for nn.Linear(4, 3) and nn.Linear(3, 2) after manual_seed(3)", () => {
  const { uniform } = torchRandom(3);
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

test("draws PyTorch 2.15's normal numbers, which pair two of float64 below 16 and go in groups above", () => {
  const random = torchRandom(3);
  const near = (numbers: readonly number[]) => numbers.map((x) => expect.closeTo(x, 6) as number);
  // torch.manual_seed(3), then randn(5), empty(2).uniform_(-1, 1), randn(4), the 1st, 15th, 22nd and
  // last of randn(37), and randn(3); printed by PyTorch.
  expect([...random.normals(5)]).toEqual([
    0.8032760620117188, 0.17483338713645935, 0.08897809684276581, -0.6137180328369141,
    0.04618244990706444,
  ]);
  expect([random.uniform(-1, 1), random.uniform(-1, 1)]).toEqual([
    -0.7003182172775269, -0.19706237316131592,
  ]);
  expect([...random.normals(4)]).toEqual([
    -1.3682591915130615, -0.9308905601501465, 0.413883239030838, 0.11463188380002975,
  ]);
  const many = random.normals(37);
  expect([0, 14, 21, 36].map((i) => many[i])).toEqual(
    near([-0.16680915653705597, 0.3736353814601898, 0.5071300864219666, -1.1215951442718506]),
  );
  expect([...random.normals(3)]).toEqual([
    -0.6321689486503601, -0.6807157397270203, 0.6182202100753784,
  ]);
  expect([...torchRandom(3).normals(20, 0.5)]).toEqual(
    [...torchRandom(3).normals(20)].map((x) => x / 2),
  );
});
