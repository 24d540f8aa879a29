import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../../engine/index.ts";
import type { np } from "../../engine/jax-js.ts";
import { tensor, type Tensor, type Tree } from "../../engine/tensor.ts";
import { prepareEvaluation } from "../../sam/training/evaluation.ts";
import { mlp } from "../networks/mlp.ts";
import { augment, withAugmentation, type Augmentation } from "./augment.ts";

const none: Augmentation = {
  crop: 0,
  flip: false,
  cutout: 0,
  black: [0, 0],
  mean: [7, 8],
};
const [n, channels, height, width] = [200, 2, 4, 5];
/** Every pixel of an image has a value of its own, and no pixel is black. */
const images = tensor(
  Array.from({ length: n * channels * height * width }, (_, i) => 1 + (i % 251)),
  [n, channels, height, width],
  "float32",
);

const disposals: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const dispose of disposals) await dispose();
});

/** Augmented images by the key of each of two steps. */
async function run(
  augmentation: Augmentation,
  engine: "native" | "jax",
  keys: readonly number[],
  x: Tensor = images,
): Promise<Float32Array[]> {
  const program = await compile(
    {
      carry: { nothing: { dtype: "float32", shape: [] } },
      inputs: { x: { dtype: x.dtype, shape: x.shape } },
      knobs: { key: { dtype: "uint32", shape: [2] } },
      step: (carry, inputs, knobs) => {
        const { x } = inputs as { x: np.Array };
        const { key } = knobs as { key: np.Array };
        return { carry, record: { x: augment(x.ref, key.ref, augmentation) } };
      },
    },
    { engine },
  );
  disposals.push(() => program.dispose());
  const { records } = await program.run({
    carry: { nothing: tensor([0], [], "float32") },
    inputs: { x },
    knobs: {
      key: tensor(
        keys.flatMap((key) => [0, key]),
        [keys.length, 2],
        "uint32",
      ),
    },
    steps: keys.length,
  });
  const { x: seen } = records as { x: Tree<Tensor> };
  const { data } = seen as Tensor;
  const each = data.length / keys.length;
  return keys.map((_, i) => Float32Array.from(data.subarray(i * each, (i + 1) * each)));
}

/** Image i of a batch, cropped and mirrored, in plain loops. */
function moved(i: number, dy: number, dx: number, isMirrored: boolean, black: number): number[] {
  const found: number[] = [];
  for (let c = 0; c < channels; c++) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const from = (isMirrored ? width - 1 - column : column) + dx;
        const isInside = row + dy >= 0 && row + dy < height && from >= 0 && from < width;
        const at = ((i * channels + c) * height + row + dy) * width + from;
        found.push(isInside ? (images.data[at] ?? NaN) : black);
      }
    }
  }
  return found;
}

const size = channels * height * width;
const image = (batch: Float32Array, i: number) => [...batch.subarray(i * size, (i + 1) * size)];

describe.each(["native", "jax"] as const)("on the %s engine", (engine) => {
  test("every image is cropped and mirrored in its own way, and every way occurs", async () => {
    const [batch = new Float32Array()] = await run({ ...none, crop: 1, flip: true }, engine, [1]);
    const ways = new Map<string, number>();
    for (let i = 0; i < n; i++) {
      const seen = String(image(batch, i));
      for (const dy of [-1, 0, 1]) {
        for (const dx of [-1, 0, 1]) {
          for (const isMirrored of [false, true]) {
            if (String(moved(i, dy, dx, isMirrored, 0)) !== seen) continue;
            const way = `${dy} ${dx} ${isMirrored}`;
            ways.set(way, (ways.get(way) ?? 0) + 1);
          }
        }
      }
    }
    // Each image was found among the 18 ways, and no way is much more common than 200/18.
    expect([...ways.values()].reduce((a, b) => a + b, 0)).toBe(n);
    expect(ways.size).toBe(18);
    expect(Math.max(...ways.values())).toBeLessThan(30);
  });

  test("Cutout fills a square around any pixel with the mean of each channel", async () => {
    const cutout = 2;
    const [batch = new Float32Array()] = await run({ ...none, cutout }, engine, [3]);
    const centers = new Set<string>();
    for (let i = 0; i < n; i++) {
      const seen = String(image(batch, i));
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const expected = moved(i, 0, 0, false, 0).map((value, k) => {
            const [row, column] = [Math.floor(k / width) % height, k % width];
            const isCut = row >= y - 1 && row <= y && column >= x - 1 && column <= x;
            return isCut ? [7, 8][Math.floor(k / (height * width))] : value;
          });
          if (String(expected) === seen) centers.add(`${i} ${y} ${x}`);
        }
      }
    }
    expect(centers.size).toBe(n);
    expect(new Set([...centers].map((at) => at.replace(/^\d+ /, ""))).size).toBe(20);
  });

  test("equal keys give equal images, others do not", async () => {
    const all = { ...none, crop: 2, flip: true, cutout: 2 };
    const [a, b, c] = await run(all, engine, [5, 5, 6]);
    expect(b).toEqual(a);
    expect(c).not.toEqual(a);
  });
});

test("both engines draw the same, and padding is black where black is not 0", async () => {
  const all = { ...none, crop: 2, flip: true, cutout: 2, black: [-3, -2] };
  const [native] = await run(all, "native", [9]);
  expect((await run(all, "jax", [9]))[0]).toEqual(native);
  const crop = { ...none, crop: 4, black: [-3, -3] };
  const [batch = new Float32Array()] = await run(crop, "native", [9]);
  const rows = Array.from({ length: n }, (_, i) => String(image(batch, i)));
  const shifts = [-4, -3, -2, -1, 0, 1, 2, 3, 4];
  rows.forEach((row, i) => {
    const ways = shifts.flatMap((dy) => shifts.map((dx) => String(moved(i, dy, dx, false, -3))));
    expect(ways).toContain(row);
  });
});

test("evaluation sees images as they are", async () => {
  const y = tensor(
    Array.from({ length: n }, (_, i) => i % 3),
    [n],
    "int32",
  );
  const plain = mlp({ train: { batch: { x: images, y }, size: n }, hidden: [3] });
  const augmented = withAugmentation(plain, { ...none, crop: 2, flip: true, cutout: 3 });
  expect("prepare" in augmented).toBe(true);
  expect(withAugmentation(plain, none)).toBe(plain);
  const model = { params: plain.init(1), statistics: {} };
  const results = [];
  for (const problem of [plain, augmented]) {
    const evaluation = prepareEvaluation(problem);
    results.push(await evaluation.evaluate(model, problem.train));
    await evaluation.dispose();
  }
  expect(results[1]).toEqual(results[0]);
});
