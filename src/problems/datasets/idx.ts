/** The IDX format of MNIST: a magic number, the sides of an array, then its bytes. */
import { InputError } from "../../engine/errors.ts";

/** An array of bytes, row-major. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/**
 * Read an unpacked IDX file of unsigned bytes with `rank` axes.
 *
 * @param name what messages call the file.
 * @throws {InputError} when the bytes are anything else.
 */
export function readIdx(bytes: Uint8Array, rank: number, name: string): IdxArray {
  const refuse = (reason: string) =>
    new InputError(`invalid data file ${name}: ${reason}; delete it and download again`);
  const header = 4 * (1 + rank);
  if (bytes.length < header) {
    throw refuse(`${bytes.length} bytes are too few for a header of ${header}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Two zero bytes, the element type (8: unsigned byte), the number of axes.
  const magic = view.getUint32(0);
  const expected = 0x0800 + rank;
  if (magic !== expected) throw refuse(`magic ${hex(magic)} (expected ${hex(expected)})`);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 * (1 + axis)));
  const size = shape.reduce((product, side) => product * side, 1);
  if (bytes.length - header !== size) {
    throw refuse(`${bytes.length - header} bytes of data (expected ${shape.join(" × ")})`);
  }
  return { shape, data: bytes.subarray(header) };
}

const hex = (word: number) => `0x${word.toString(16).padStart(8, "0")}`;
