/** NumPy's formats: .npy, one array, and .npz, a ZIP archive of them. */
import { unzipSync } from "fflate";
import {
  boolFormat,
  float16Format,
  float32Format,
  float64Format,
  int32Format,
  int64Format,
  isShape,
  readElements,
  uint32Format,
  uint8Format,
  type ElementFormat,
} from "./bytes.ts";
import { crc32 } from "./crc32.ts";
import { InputError } from "./errors.ts";
import { sizeOf, type Tensor } from "./tensor.ts";

export interface NpzOptions {
  /** What messages call the file; default `npz`. */
  readonly name?: string;
  /** Most bytes that all arrays together may unpack to; default 1 GiB. */
  readonly limit?: number;
}

const formats: Readonly<Record<string, ElementFormat>> = {
  "<f8": float64Format,
  "<f4": float32Format,
  "<f2": float16Format,
  "<i8": int64Format,
  "<i4": int32Format,
  "<u4": uint32Format,
  "|u1": uint8Format,
  "|b1": boolFormat,
};

/** No deflated data unpack to more than this many times their size. */
const largestRatio = 1032;

/**
 * Read an .npz archive as tensors by name, without the `.npy`. Half precision becomes float32,
 * and 64-bit integers become int32.
 *
 * @throws {InputError} when it is no such archive, unpacks to more than `limit`, or does not have
 *   the checksums that it says.
 */
export function readNpz(
  bytes: Uint8Array,
  { name = "npz", limit = 2 ** 30 }: NpzOptions = {},
): Readonly<Record<string, Tensor>> {
  const refuse = (reason: string) => new InputError(`invalid file ${name}: ${reason}`);
  const sizes = new Map<string, number>();
  const checksums = readChecksums(bytes);
  const expected = new Map<string, number | undefined>();
  let total = 0;
  let members: Record<string, Uint8Array>;
  try {
    members = unzipSync(bytes, {
      // Sizes are judged before anything is unpacked: this is what stops a ZIP bomb.
      filter({ name: member, size, originalSize }) {
        if (sizes.has(member)) throw refuse(`it has "${member}" twice`);
        expected.set(member, checksums[sizes.size]);
        sizes.set(member, originalSize);
        total += originalSize;
        if (total > limit) throw refuse(`it unpacks to more than ${limit} bytes`);
        if (originalSize > size * largestRatio || size > bytes.length) {
          throw refuse(`"${member}" cannot unpack from ${size} to ${originalSize} bytes`);
        }
        return true;
      },
    });
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw refuse(`not a ZIP archive (${(error as Error).message})`);
  }
  if (sizes.size !== checksums.length) throw refuse("its directory is damaged");
  if (sizes.size === 0) throw refuse("it has no arrays");
  const tensors = Object.entries(members).map(([member, content]) => {
    if (!member.endsWith(".npy")) throw refuse(`"${member}" in it is no .npy`);
    const intact = content.length === sizes.get(member) && crc32(content) === expected.get(member);
    if (!intact) throw refuse(`"${member}" in it is damaged`);
    return [member.slice(0, -4), readNpy(content, `${name}/${member}`)] as const;
  });
  return Object.fromEntries(tensors);
}

/** The CRC-32 of all members in the order of the directory at the end of a ZIP archive. */
function readChecksums(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // The last record has 22 bytes and a comment of at most 65,535.
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) return [];
  let at = view.getUint32(end + 16, true);
  if (at === 0xffffffff && end >= 20) {
    // ZIP64: the record before says where the larger one lies.
    const large = Number(view.getBigUint64(end - 12, true));
    if (large + 56 > bytes.length) return [];
    at = Number(view.getBigUint64(large + 48, true));
  }
  const checksums: number[] = [];
  while (at + 46 <= bytes.length && view.getUint32(at, true) === 0x02014b50) {
    checksums.push(view.getUint32(at + 16, true));
    const [name, extra, comment] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
    if (!isNamedAlike(bytes, at, name ?? 0)) return [];
    at += 46 + (name ?? 0) + (extra ?? 0) + (comment ?? 0);
  }
  return checksums;
}

/** Whether a member has the same name in the directory and at its own head: no checksum guards names. */
function isNamedAlike(bytes: Uint8Array, at: number, length: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const head = view.getUint32(at + 42, true);
  // Of an archive beyond 4 GiB the place is said elsewhere.
  if (head === 0xffffffff) return true;
  if (head + 30 + length > bytes.length || view.getUint16(head + 26, true) !== length) return false;
  const [here, there] = [at + 46, head + 30];
  for (let i = 0; i < length; i++) if (bytes[here + i] !== bytes[there + i]) return false;
  return true;
}

/**
 * Read an .npy file of one of the types that tensors can hold, in C or Fortran order.
 *
 * @param name what messages call the file.
 * @throws {InputError} when it is anything else.
 */
export function readNpy(bytes: Uint8Array, name = "npy"): Tensor {
  const refuse = (reason: string) => new InputError(`invalid file ${name}: ${reason}`);
  const latin = (from: number, to?: number) =>
    new TextDecoder("latin1").decode(bytes.subarray(from, to));
  if (bytes.length < 12 || bytes[0] !== 0x93 || latin(1, 6) !== "NUMPY") {
    throw refuse("not an .npy file");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint8(6);
  if (version < 1 || version > 3) throw refuse(`unknown version ${version} (known are 1 to 3)`);
  const [start, length] =
    version === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  const data = bytes.subarray(start + length);
  const header = latin(start, start + length);
  // The header is a Python dictionary. Structured types are lists there, and do not match.
  const descr = /["']descr["']: *["']([^"']*)["']/.exec(header)?.[1];
  const order = /["']fortran_order["']: *(True|False)/.exec(header)?.[1];
  const sides = /["']shape["']: *\(([\d, ]*)\)/.exec(header)?.[1];
  if (order === undefined || sides === undefined) throw refuse("its header is damaged");
  const format = descr !== undefined && Object.hasOwn(formats, descr) && formats[descr];
  if (!format) {
    const known = Object.keys(formats).join(", ");
    throw refuse(`unknown dtype ${descr ?? "in its header"} (known are ${known})`);
  }
  const shape = sides
    .split(",")
    .filter((side) => side.trim() !== "")
    .map(Number);
  if (!isShape(shape)) throw refuse(`its shape is (${sides})`);
  const size = sizeOf(shape) * format.bytes;
  if (data.length !== size) {
    throw refuse(`${data.length} bytes of data where (${sides}) of ${descr} needs ${size}`);
  }
  try {
    const tensor = readElements(format, shape, data);
    return order === "True" ? fromFortran(tensor) : tensor;
  } catch (error) {
    throw error instanceof InputError ? refuse(error.message) : error;
  }
}

/** The same tensor, row-major, from data whose first axis moves fastest. */
function fromFortran({ dtype, shape, data }: Tensor): Tensor {
  const strides: number[] = [];
  shape.reduce((stride, side) => {
    strides.push(stride);
    return stride * side;
  }, 1);
  const ordered = data.slice();
  for (let i = 0; i < data.length; i++) {
    let rest = i;
    let from = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const side = shape[axis] as number;
      from += (rest % side) * (strides[axis] as number);
      rest = Math.floor(rest / side);
    }
    ordered[i] = data[from] as number;
  }
  return { dtype, shape, data: ordered };
}
