import * as fc from "fast-check";
import { zipSync } from "fflate";
import { expect, test } from "vitest";
import { InputError } from "./errors.ts";
import { readNpy, readNpz } from "./npz.ts";
import { sizeOf, tensor, type DType } from "./tensor.ts";

/** An .npy file by hand. */
function npy(descr: string, order: "True" | "False", shape: string, data: Uint8Array): Uint8Array {
  const header = `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }\n`;
  const start = [0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, header.length, 0];
  return Uint8Array.from([...start, ...new TextEncoder().encode(header), ...data]);
}

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

// NumPy 2.4.6: np.savez_compressed(w=np.asfortranarray(np.arange(24, dtype=np.float32)
//   .reshape(2, 3, 4)), y=np.array([3, -1]), s=np.float64(.5), m=np.array([[True], [False]]))
const archive = Uint8Array.from(
  atob(
    "UEsDBC0AAAAIAAAAIQCjb1Mj//////////8FABQAdy5ucHkBABAA4AAAAAAAAACHAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqKuo6Cell9UUpSYF59flJIKEg8pKk0FChdnJBakArkaRjoKxjoKJpo6CrUKZAIuBjBwcGRgaHAAYiDNAMQLQHx7BoYAEBso3gGkBYB4BUgeyE8A0geA9AQgrQDEG4DYAcgvANIPgPQMIG0AxDscAVBLAwQtAAAACAAAACEAZ97/aP//////////BQAUAHkubnB5AQAQAJAAAAAAAAAASgAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpGOpo6CrUKFAAuZgYI+A8FAFBLAwQtAAAACAAAACEAcO6Saf//////////BQAUAHMubnB5AQAQAIgAAAAAAAAARwAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2ahrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RqaOgq1ChQBLgYweGAPAFBLAwQtAAAACAAAACEA9Gx+Z///////////BQAUAG0ubnB5AQAQAIIAAAAAAAAASAAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBek2SorqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpGOgqGmjoKtQpkAy5GBgBQSwECLQMtAAAACAAAACEAo29TI4cAAADgAAAABQAAAAAAAAAAAAAAgAEAAAAAdy5ucHlQSwECLQMtAAAACAAAACEAZ97/aEoAAACQAAAABQAAAAAAAAAAAAAAgAG+AAAAeS5ucHlQSwECLQMtAAAACAAAACEAcO6SaUcAAACIAAAABQAAAAAAAAAAAAAAgAE/AQAAcy5ucHlQSwECLQMtAAAACAAAACEA9Gx+Z0gAAACCAAAABQAAAAAAAAAAAAAAgAG9AQAAbS5ucHlQSwUGAAAAAAQABADMAAAAPAIAAAAA",
  ),
  (c) => c.charCodeAt(0),
);

test("reads what NumPy wrote", () => {
  expect(readNpz(archive)).toEqual({
    w: tensor(
      Array.from({ length: 24 }, (_, i) => i),
      [2, 3, 4],
      "float32",
    ),
    y: tensor([3, -1], [2], "int32"),
    s: tensor([0.5], [], "float64"),
    m: tensor([1, 0], [2, 1], "bool"),
  });
});

const kinds: [string, DType, (values: number[]) => ArrayBufferView][] = [
  ["'<f4'", "float32", (values) => Float32Array.from(values)],
  ["'<f8'", "float64", (values) => Float64Array.from(values)],
  ["'<i4'", "int32", (values) => Int32Array.from(values)],
  ["'<i8'", "int32", (values) => BigInt64Array.from(values, BigInt)],
  ["'<u4'", "uint32", (values) => Uint32Array.from(values)],
  ["'<f2'", "float32", (values) => Float16Array.from(values)],
];

test("reads every type in both orders, at any address", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.array(fc.nat(4), { maxLength: 4 }),
      fc.boolean(),
      fc.nat(9),
      ([descr, dtype, encode], shape, fortran, offset) => {
        const values = Array.from({ length: sizeOf(shape) }, (_, i) => (i * 37) % 101);
        // By its definition: element (i₀, i₁, …) stands at i₀ + n₀·(i₁ + n₁·(…)).
        const stored = values.slice();
        const place = (index: number[]) =>
          index.reduceRight((rest, i, axis) => i + (shape[axis] ?? 0) * rest, 0);
        const visit = (index: number[], at: number): void => {
          if (index.length === shape.length) {
            stored[place(index)] = values[at] ?? NaN;
            return;
          }
          const side = shape[index.length] ?? 0;
          for (let i = 0; i < side; i++) visit([...index, i], at * side + i);
        };
        visit([], 0);
        const { buffer } = encode(fortran ? stored : values);
        const tuple = `(${shape.map((side) => `${side},`).join(" ")})`;
        const file = npy(
          descr,
          fortran ? "True" : "False",
          tuple,
          new Uint8Array(buffer as ArrayBuffer),
        );
        const within = Uint8Array.from([...new Uint8Array(offset), ...file]);
        expect(readNpy(within.subarray(offset))).toEqual(tensor(values, shape, dtype));
      },
    ),
    { seed: 1, numRuns: 300 },
  );
});

test("any corruption is refused cleanly, or does not matter to the format", () => {
  const stored = zipSync({ "a.npy": npy("'<f4'", "False", "(2,)", floats(1, 2)) }, { level: 0 });
  let [read, refused] = [0, 0];
  fc.assert(
    fc.property(
      fc.constantFrom(archive, stored),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      fc.nat(40),
      (valid, changes, cut) => {
        const bytes = valid.slice(0, valid.length - Math.max(0, cut - 20));
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        try {
          for (const { shape, data } of Object.values(readNpz(bytes))) {
            expect(data.length).toBe(sizeOf(shape));
            read++;
          }
        } catch (error) {
          refused++;
          expect(error).toBeInstanceOf(InputError);
          expect((error as InputError).message).toMatch(/^invalid file npz[:/]/);
        }
      },
    ),
    { seed: 1, numRuns: 3000 },
  );
  expect(read).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
});

test("refuses to unpack a bomb", () => {
  const bomb = zipSync({ "a.npy": new Uint8Array(10_000_000) });
  expect(bomb.length).toBeLessThan(20_000);
  expect(() => readNpz(bomb, { limit: 9_999_999 })).toThrow(
    new InputError("invalid file npz: it unpacks to more than 9999999 bytes"),
  );
  // Two directory entries for one member: a size that no packed data could have.
  const liar = zipSync({ "a.npy": new Uint8Array(10) });
  const directory = liar.length - 22 - 46 - 5;
  new DataView(liar.buffer).setUint32(directory + 24, 1_000_000, true);
  expect(() => readNpz(liar)).toThrow("cannot unpack from");
});

const good = npy("'<f4'", "False", "(1,)", floats(1));
test.each<[string, Uint8Array, string]>([
  ["nothing", new Uint8Array(0), "not a ZIP archive ("],
  ["another file in the archive", zipSync({ "a.txt": good }), '"a.txt" in it is no .npy'],
])("refuses %s as .npz", (_, bytes, reason) => {
  expect(() => readNpz(bytes, { name: "x.npz" })).toThrow(InputError);
  expect(() => readNpz(bytes, { name: "x.npz" })).toThrow(`invalid file x.npz: ${reason}`);
});

test.each<[string, Uint8Array, string]>([
  ["nothing", new Uint8Array(0), "not an .npy file"],
  ["another magic", good.with(1, 77), "not an .npy file"],
  ["a version of the future", good.with(6, 4), "unknown version 4 (known are 1 to 3)"],
  ["a header past the end", good.with(9, 9), "0 bytes of data where (1,) of <f4 needs 4"],
  ["a damaged header", good.with(8, 9), "its header is damaged"],
  ["big-endian numbers", npy("'>f4'", "False", "(1,)", floats(1)), "unknown dtype >f4 (known are"],
  ["prototypes", npy("'toString'", "False", "(1,)", floats(1)), "unknown dtype toString"],
  ["records", npy("[('a', '<f4')]", "False", "(1,)", floats(1)), "unknown dtype in its header"],
  [
    "a huge side",
    npy("'<f4'", "False", "(99999999999999999999,)", floats(1)),
    "its shape is (9999",
  ],
  ["a broken side", npy("'<f4'", "False", "(1 2,)", floats(1)), "its shape is (1 2,)"],
  [
    "too few data",
    npy("'<f4'", "False", "(2,)", floats(1)),
    "4 bytes of data where (2,) of <f4 needs 8",
  ],
  [
    "too many data",
    npy("'<f4'", "False", "()", floats(1, 2)),
    "8 bytes of data where () of <f4 needs 4",
  ],
  ["an integer too large", npy("'<i8'", "False", "()", floats(0, 1)), "the 64-bit integer"],
])("refuses %s as .npy", (_, bytes, reason) => {
  expect(() => readNpy(bytes, "x.npy")).toThrow(InputError);
  expect(() => readNpy(bytes, "x.npy")).toThrow(`invalid file x.npy: ${reason}`);
});

test("a name that differs between the directory and the member's head is refused", () => {
  const name = new TextEncoder().encode("w.npy");
  const places = Array.from(archive.keys()).filter((at) =>
    name.every((byte, i) => archive[at + i] === byte),
  );
  expect(places).toHaveLength(2);
  for (const at of places) {
    const damaged = archive.slice();
    damaged[at] = (archive[at] ?? 0) ^ 1;
    expect(() => readNpz(damaged)).toThrow("invalid file npz: its directory is damaged");
  }
});

test("no flipped bit of an archive changes a number unnoticed", () => {
  const expected = readNpz(archive);
  // In an order that does not depend on names.
  const tensorsOf = (found: typeof expected) =>
    Object.values(found)
      .map((tensor) => JSON.stringify(tensor))
      .toSorted();
  let refused = 0;
  for (let bit = 0; bit < 8 * archive.length; bit++) {
    const damaged = archive.slice();
    damaged[bit >> 3] = (archive[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    let found: typeof expected;
    try {
      found = readNpz(damaged);
    } catch (error) {
      expect(error).toBeInstanceOf(InputError);
      refused++;
      continue;
    }
    // What is not covered: names of members, dates, what the local headers repeat.
    expect(tensorsOf(found), `bit ${bit}`).toEqual(tensorsOf(expected));
  }
  expect(refused).toBeGreaterThan(3000);
});
