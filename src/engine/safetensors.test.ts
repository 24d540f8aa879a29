import * as fc from "fast-check";
import { expect, test } from "vitest";
import { InputError } from "./errors.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";
import { sizeOf, tensor, type DType, type Tensor } from "./tensor.ts";

/** A file by hand: length, header, data. */
function file(header: unknown, data: readonly number[] = []): Uint8Array {
  const json = typeof header === "string" ? header : JSON.stringify(header);
  const text = new TextEncoder().encode(json);
  const length = [0, 8, 16, 24].map((shift) => (text.length >>> shift) & 255);
  return Uint8Array.from([...length, 0, 0, 0, 0, ...text, ...data]);
}

const entry = (dtype: string, shape: unknown, ...offsets: number[]) => ({
  dtype,
  shape,
  data_offsets: offsets,
});

test("reads what another program wrote", () => {
  // safetensors 0.8.0: save({"w": float32 [[1.5, -2]], "n": int64 [7], "h": float16 [0.5]}, {"by": "x"})
  const bytes = Uint8Array.from(
    atob(
      "wAAAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJieSI6IngifSwibiI6eyJkdHlwZSI6Ikk2NCIsInNoYXBlIjpbMV0sImRhdGFfb2Zmc2V0cyI6WzAsOF19LCJ3Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsxLDJdLCJkYXRhX29mZnNldHMiOls4LDE2XX0sImgiOnsiZHR5cGUiOiJGMTYiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOlsxNiwxOF19fSAHAAAAAAAAAAAAwD8AAADAADg=",
    ),
    (c) => c.charCodeAt(0),
  );
  const { tensors, metadata } = readSafetensors(bytes);
  expect(metadata).toEqual({ by: "x" });
  expect(tensors).toEqual({
    w: tensor([1.5, -2], [1, 2], "float32"),
    n: tensor([7], [1], "int32"),
    h: tensor([0.5], [1], "float32"),
  });
});

test("widens half precision and narrows 64-bit integers", () => {
  const half = [0x00, 0x3e, 0x00, 0xfc];
  const brain = [0xc0, 0x3f, 0x49, 0xc0];
  const integers = [255, 255, 255, 127, 0, 0, 0, 0, 254, 255, 255, 255, 255, 255, 255, 255];
  const { tensors } = readSafetensors(
    file({ h: entry("F16", [2], 0, 4), b: entry("BF16", [2], 4, 8), i: entry("I64", [2], 8, 24) }, [
      ...half,
      ...brain,
      ...integers,
    ]),
  );
  expect(tensors).toEqual({
    h: tensor([1.5, -Infinity], [2], "float32"),
    b: tensor([1.5, -3.140625], [2], "float32"),
    i: tensor([2 ** 31 - 1, -2], [2], "int32"),
  });
});

test("the paths of a tree become names", () => {
  const tree = { layers: [{ bias: tensor([1], [1], "float32") }], rho: tensor([2], [], "float64") };
  const { tensors } = readSafetensors(writeSafetensors(tree));
  expect(tensors).toEqual({ "layers/0/bias": tree.layers[0]?.bias, rho: tree.rho });
  const double = { "a/b": tree.rho, a: { b: tree.rho } };
  expect(() => writeSafetensors(double)).toThrow(
    new InputError('invalid tensor name "a/b": it is taken; choose another'),
  );
  expect(() => writeSafetensors({ __metadata__: tree.rho })).toThrow("__metadata__");
});

const dtypes: DType[] = ["float32", "float64", "int32", "uint32", "bool"];
const anyTensor: fc.Arbitrary<Tensor> = fc
  .tuple(fc.constantFrom(...dtypes), fc.array(fc.nat(3), { maxLength: 3 }), fc.integer())
  .map(([dtype, shape, seed]) =>
    tensor(
      Array.from({ length: sizeOf(shape) }, (_, i) => {
        const value = Math.imul(seed + i, 0x9e3779b1);
        return dtype === "bool" ? value & 1 : dtype.startsWith("float") ? value / 3 : value;
      }),
      shape,
      dtype,
    ),
  );
const anyFile = fc.tuple(
  fc.dictionary(
    fc.string().filter((name) => name !== "__metadata__"),
    anyTensor,
    { maxKeys: 5 },
  ),
  fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }),
);

test("what is written is read back", () => {
  fc.assert(
    fc.property(anyFile, ([tensors, metadata]) => {
      const bytes = writeSafetensors(tensors, metadata);
      // As part of a larger buffer, at an odd address.
      const within = new Uint8Array(bytes.length + 3);
      within.set(bytes, 3);
      const read = readSafetensors(within.subarray(3));
      expect(new Map(Object.entries(read.tensors))).toEqual(new Map(Object.entries(tensors)));
      expect(new Map(Object.entries(read.metadata))).toEqual(new Map(Object.entries(metadata)));
      expect((8 + (bytes[0] ?? 0)) % 8).toBe(0);
    }),
    { seed: 1, numRuns: 300 },
  );
});

test("any corruption is refused cleanly, or does not matter to the format", () => {
  const tree = { w: tensor([1, 2, 3, 4], [2, 2], "float32"), b: tensor([1, 0], [2], "bool") };
  const valid = writeSafetensors(tree, { note: "text" });
  const change = fc.tuple(fc.nat(valid.length - 1), fc.nat(255));
  let [read, refused] = [0, 0];
  fc.assert(
    fc.property(fc.array(change, { maxLength: 4 }), fc.nat(40), (changes, cut) => {
      const bytes = valid.slice(0, valid.length - Math.max(0, cut - 20));
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      try {
        for (const { shape, data } of Object.values(readSafetensors(bytes).tensors)) {
          expect(data.length).toBe(sizeOf(shape));
          read++;
        }
      } catch (error) {
        refused++;
        expect(error).toBeInstanceOf(InputError);
        expect((error as InputError).message).toMatch(/^invalid file safetensors: /);
      }
    }),
    { seed: 1, numRuns: 2000 },
  );
  expect(read).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
});

const good = entry("F32", [1], 0, 4);
test.each<[string, Uint8Array, string]>([
  ["nothing", Uint8Array.of(1, 2, 3), "3 bytes are too few"],
  ["a header past the end", file("{}").fill(9, 0, 1), "it ends inside its header, after 10 of 17"],
  ["a huge header", file("{}").fill(1, 4, 5), "a header of 4294967298 bytes is too long"],
  ["no JSON", file("{oops"), "its header is not JSON ("],
  ["no UTF-8", file("{}").fill(255, 9, 10), "its header is not JSON ("],
  ["no object", file("[]"), "its header is not a JSON object"],
  ["a name twice", file('{"a":{},"\\u0061":{}}'), "its header has a name twice"],
  ["metadata that is no text", file({ __metadata__: { a: 1 } }), "its __metadata__ is not text"],
  ["an entry that is no object", file({ a: [] }), 'tensor "a" is not described by an object'],
  ["an unknown dtype", file({ a: entry("C64", [], 0, 8) }), 'tensor "a" has unknown dtype "C64"'],
  ["a dtype of prototypes", file({ a: entry("toString", [], 0, 8) }), "unknown dtype"],
  ["a negative side", file({ a: entry("F32", [-1], 0, 4) }, [0, 0, 0, 0]), "has shape [-1]"],
  ["a broken side", file({ a: entry("F32", [0.5], 0, 2) }, [0, 0]), "has shape [0.5]"],
  ["one offset", file({ a: entry("F32", [1], 0) }, [0, 0, 0, 0]), "has data_offsets [0]"],
  ["offsets past the end", file({ a: good }, [0, 0]), "lies at bytes 0 to 4 of 2"],
  ["offsets in reverse", file({ a: entry("F32", [1], 4, 0) }, [0, 0, 0, 0]), "bytes 4 to 0 of 4"],
  [
    "a wrong size",
    file({ a: entry("F32", [2], 0, 4) }, [0, 0, 0, 0]),
    "has 4 bytes, but its shape and dtype need 8",
  ],
  [
    "an overlap",
    file({ a: good, b: good }, [0, 0, 0, 0]),
    "begins at byte 0 of the data, not at 4",
  ],
  [
    "a hole",
    file({ a: entry("F32", [1], 4, 8) }, [0, 0, 0, 0, 0, 0, 0, 0]),
    "begins at byte 4 of the data, not at 0",
  ],
  ["bytes behind the end", file({ a: good }, [0, 0, 0, 0, 0]), "1 bytes belong to no tensor"],
  [
    "an integer too large",
    file({ a: entry("I64", [1], 0, 8) }, [0, 0, 0, 128, 0, 0, 0, 0]),
    'tensor "a": the 64-bit integer 2147483648 does not fit',
  ],
])("refuses %s", (_, bytes, reason) => {
  expect(() => readSafetensors(bytes, "x.safetensors")).toThrow(InputError);
  expect(() => readSafetensors(bytes, "x.safetensors")).toThrow(reason);
});

test("no flipped bit of what is written here goes unnoticed", () => {
  const tree = { w: tensor([1.5, -2, NaN], [3], "float32"), n: tensor([7], [1], "int32") };
  const metadata = { by: "x", "1": '"crc32":"00000000"' };
  const bytes = writeSafetensors(tree, metadata);
  expect(readSafetensors(bytes)).toEqual({ tensors: tree, metadata });
  expect(bytes.length).toBeGreaterThan(100);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const damaged = bytes.slice();
    damaged[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(() => readSafetensors(damaged, "x"), `bit ${bit}`).toThrow(/^invalid file x: /);
  }
  const text = new TextDecoder("latin1").decode(bytes);
  const data = bytes.with(text.length - 1, 1);
  expect(() => readSafetensors(data, "x")).toThrow(
    "invalid file x: its content does not have its checksum (it was damaged or changed)",
  );
});

test("half precision is what Float16Array reads, in all its 65,536 values", () => {
  const halves = Uint16Array.from({ length: 65_536 }, (_, i) => i);
  const bytes = file({ h: entry("F16", [65_536], 0, 131_072) });
  const whole = new Uint8Array([...bytes, ...new Uint8Array(halves.buffer)]);
  const { data } = readSafetensors(whole).tensors["h"] ?? { data: [] };
  expect(data).toEqual(Float32Array.from(new Float16Array(halves.buffer)));
});
