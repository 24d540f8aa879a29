/** Special functions in float64 against values computed with mpmath to 30 digits. */
import { lax, numpy as np } from "@jax-js/jax";
import { expect, test } from "vitest";
import { tensor, type Tensor } from "../../tensor.ts";
import { compileNative } from "../index.ts";

const table: Record<string, { f: (x: np.Array) => np.Array; values: [x: number, y: number][] }> = {
  erf: {
    f: lax.erf,
    values: [
      [0, 0],
      [1e-9, 1.1283791670955127e-9],
      [0.1, 0.1124629160182849],
      [0.4687, 0.49256818249964407],
      [0.46876, 0.4926225311068465],
      [0.75, 0.7111556336535151],
      [1.5, 0.9661051464753108],
      [3.999, 0.9999999844552505],
      [4.001, 0.9999999847092178],
      [6.5, 1],
      [-0.3, -0.3286267594591274],
      [-2.5, -0.999593047982555],
    ],
  },
  erfc: {
    f: lax.erfc,
    values: [
      [0.1, 0.887537083981715],
      [0.46876, 0.5073774688931535],
      [1.5, 0.033894853524689274],
      [3.999, 1.5544749490994993e-8],
      [4.001, 1.5290782173248732e-8],
      [10, 2.088487583762545e-45],
      [5.7, 7.566211621862486e-16],
      [20.3, 2.985318180601636e-181],
      [26, 5.663192408856143e-296],
      [-1.5, 1.9661051464753108],
    ],
  },
  atan: {
    f: np.arctan,
    values: [
      [1e-9, 1e-9],
      [0.3, 0.2914567944778671],
      [1, 0.7853981633974483],
      [7, 1.4288992721907328],
      [1e6, 1.5707953267948966],
      [-2.5, -1.1902899496825317],
    ],
  },
  asin: {
    f: np.arcsin,
    values: [
      [1e-9, 1e-9],
      [0.3, 0.3046926540153975],
      [0.9, 1.1197695149986342],
      [0.99999999, 1.5706549054381862],
      [1, 1.5707963267948966],
      [-0.75, -0.848062078981481],
    ],
  },
};

test.each(Object.entries(table))("%s to 4 units in the last place", async (_, { f, values }) => {
  const x = tensor(
    values.map(([at]) => at),
    [values.length],
    "float64",
  );
  const program = await compileNative({
    step: (__, inputs) => ({ carry: {}, record: f(inputs as np.Array) }),
    carry: {},
    inputs: x,
    knobs: {},
  });
  const { records } = await program.run({ carry: {}, inputs: x, knobs: {}, steps: 1 });
  await program.dispose();
  values.forEach(([at, wanted], i) => {
    const got = (records as Tensor).data[i] as number;
    const error = Math.abs(got - wanted) / (Math.abs(wanted) || 1);
    expect(error, `f(${at}) = ${got}, not ${wanted}`).toBeLessThan(4 * Number.EPSILON);
  });
});
