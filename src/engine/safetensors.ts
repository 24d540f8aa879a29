/** The safetensors format: named tensors in one file, readable from Python, Rust and JavaScript. */
import {
  bfloat16Format,
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
import { crc32, crcText } from "./crc32.ts";
import { InputError } from "./errors.ts";
import { leavesWithPaths, sizeOf, type DType, type Tensor, type Tree } from "./tensor.ts";

/** What a safetensors file holds. */
export interface SafetensorsFile {
  /** Tensors by name, in the order of the header. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Free text of the file's author. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Largest header read, in bytes; the format's own limit. */
const largestHeader = 100_000_000;

const metadataKey = "__metadata__";

/**
 * Two entries of the metadata of what is written here: that there is a checksum, and a CRC-32 of
 * all bytes of the file, taken while its own digits are zeros. Either demands the other, so that
 * damage to one name is noticed too.
 */
const checksumKey = "checksum";
const digitsKey = "crc32";
const noDigits = "00000000";

const formatName: Readonly<Record<DType, string>> = {
  float32: "F32",
  float64: "F64",
  int32: "I32",
  uint32: "U32",
  uint8: "U8",
  bool: "BOOL",
};

const formats: Readonly<Record<string, ElementFormat>> = {
  F64: float64Format,
  F32: float32Format,
  F16: float16Format,
  BF16: bfloat16Format,
  I64: int64Format,
  I32: int32Format,
  U32: uint32Format,
  U8: uint8Format,
  BOOL: boolFormat,
};

/**
 * Write tensors, or a tree of them whose paths become names (`layers/0/weight`), with a checksum
 * that {@link readSafetensors} compares.
 *
 * @throws {InputError} when two leaves have the same name.
 */
export function writeSafetensors(
  tensors: Tree<Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  // Widest elements first, so that every tensor starts at a multiple of its element size.
  const leaves = leavesWithPaths(tensors).sort(
    ([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT,
  );
  const entries = new Map<string, unknown>();
  const own = { [checksumKey]: digitsKey, [digitsKey]: noDigits };
  entries.set(metadataKey, { ...own, ...metadata, ...own });
  let end = 0;
  for (const [name, { dtype, shape, data }] of leaves) {
    if (name === metadataKey || entries.has(name)) {
      throw new InputError(`invalid tensor name "${name}": it is taken; choose another`);
    }
    const begin = end;
    end += data.byteLength;
    entries.set(name, { dtype: formatName[dtype], shape, data_offsets: [begin, end] });
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  // Padded with spaces, as the format asks, so that the data start at a multiple of 8.
  const start = 8 + Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(start + end).fill(0x20, 8, start);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(json, 8);
  let at = start;
  for (const [, { data }] of leaves) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  const digits = digitsAt(bytes.subarray(8, start));
  bytes.set(new TextEncoder().encode(crcText(crc32(bytes))), 8 + digits);
  return bytes;
}

/** Where the digits of the checksum begin in a header; -1 when there are none. */
function digitsAt(header: Uint8Array): number {
  const mark = `"${digitsKey}":"`;
  // Characters stand for bytes here, so that places are places of bytes.
  const at = new TextDecoder("latin1").decode(header).indexOf(mark);
  return at < 0 ? at : at + mark.length;
}

/** Whether the digits in a header are those of the file. */
function isIntact(bytes: Uint8Array, start: number, digits: string): boolean {
  const at = 8 + digitsAt(bytes.subarray(8, start));
  const end = at + noDigits.length;
  const before = crc32(bytes.subarray(0, at));
  const zeros = crc32(new TextEncoder().encode(noDigits), before);
  return at >= 8 && end <= start && crcText(crc32(bytes.subarray(end), zeros)) === digits;
}

/**
 * Read a safetensors file. Half precision becomes float32, and 64-bit integers become int32.
 *
 * @param name what messages call the file.
 * @throws {InputError} when any byte is not accounted for exactly as the format demands, or the
 *   file has a checksum and was changed.
 */
export function readSafetensors(bytes: Uint8Array, name = "safetensors"): SafetensorsFile {
  const refuse = (reason: string) => new InputError(`invalid file ${name}: ${reason}`);
  const start = readStart(bytes, refuse);
  const header = readHeader(bytes.subarray(8, start), refuse);
  const data = bytes.subarray(start);
  const { [metadataKey]: metadata = {}, ...entries } = header;
  if (!isRecord(metadata) || Object.values(metadata).some((text) => typeof text !== "string")) {
    throw refuse(`its ${metadataKey} is not text by name`);
  }
  const { [checksumKey]: kind, [digitsKey]: digits, ...free } = metadata as Metadata;
  if (kind === digitsKey || digits !== undefined) {
    if (kind !== digitsKey || digits === undefined || !isIntact(bytes, start, digits)) {
      throw refuse("its content does not have its checksum (it was damaged or changed)");
    }
  }
  const places = Object.entries(entries).map(([tensorName, entry]) =>
    readPlace(tensorName, entry, data.length, refuse),
  );
  // Every byte belongs to exactly one tensor: no overlap, no hole, nothing behind the last.
  let end = 0;
  for (const { label, begin, end: next } of places.toSorted(
    (a, b) => a.begin - b.begin || a.end - b.end,
  )) {
    if (begin !== end) throw refuse(`${label} begins at byte ${begin} of the data, not at ${end}`);
    end = next;
  }
  if (end !== data.length) throw refuse(`${data.length - end} bytes belong to no tensor`);
  const tensors = places.map(({ key, label, format, shape, begin, end }) => {
    try {
      return [key, readElements(format, shape, data.subarray(begin, end))] as const;
    } catch (error) {
      throw error instanceof InputError ? refuse(`${label}: ${error.message}`) : error;
    }
  });
  return {
    tensors: Object.fromEntries(tensors),
    metadata: kind === digitsKey ? free : (metadata as Metadata),
  };
}

type Metadata = Readonly<Record<string, string>>;
type Refuse = (reason: string) => InputError;

/** Where the data begin: behind the header, whose length comes first. */
function readStart(bytes: Uint8Array, refuse: Refuse): number {
  if (bytes.length < 8) throw refuse(`${bytes.length} bytes are too few`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  if (length > largestHeader) throw refuse(`a header of ${length} bytes is too long`);
  const start = 8 + Number(length);
  if (start > bytes.length) {
    throw refuse(`it ends inside its header, after ${bytes.length} of ${start} bytes`);
  }
  return start;
}

function readHeader(bytes: Uint8Array, refuse: Refuse): Record<string, unknown> {
  let header: unknown;
  let names = 0;
  try {
    const json = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    header = JSON.parse(json);
    names = countNames(json);
  } catch (error) {
    throw refuse(`its header is not JSON (${(error as Error).message})`);
  }
  if (!isRecord(header)) throw refuse("its header is not a JSON object");
  if (Object.keys(header).length !== names) throw refuse("its header has a name twice");
  return header;
}

/** Names in the outermost object of a JSON text, which `JSON.parse` merges where they are equal. */
function countNames(json: string): number {
  let names = 0;
  let depth = 0;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (token === ":" && depth === 1) names++;
  }
  return names;
}

/** What a header says about one tensor. */
interface Place {
  readonly key: string;
  /** What messages call it. */
  readonly label: string;
  readonly format: ElementFormat;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function readPlace(key: string, entry: unknown, length: number, refuse: Refuse): Place {
  const label = `tensor "${key}"`;
  if (!isRecord(entry)) throw refuse(`${label} is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = entry;
  const format = typeof dtype === "string" && Object.hasOwn(formats, dtype) && formats[dtype];
  if (!format) {
    const known = Object.keys(formats).join(", ");
    throw refuse(`${label} has unknown dtype ${JSON.stringify(dtype)} (known are ${known})`);
  }
  if (!isShape(shape)) throw refuse(`${label} has shape ${JSON.stringify(shape)}`);
  if (!isShape(offsets) || offsets.length !== 2) {
    throw refuse(`${label} has data_offsets ${JSON.stringify(offsets)}`);
  }
  const [begin = 0, end = 0] = offsets;
  if (begin > end || end > length) {
    throw refuse(`${label} lies at bytes ${begin} to ${end} of ${length}`);
  }
  const size = sizeOf(shape) * format.bytes;
  if (end - begin !== size) {
    throw refuse(`${label} has ${end - begin} bytes, but its shape and dtype need ${size}`);
  }
  return { key, label, format, shape, begin, end };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
