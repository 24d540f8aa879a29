/** TensorBoard event files: framed records of Protocol Buffers, of which the scalars are read. */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { crc32c } from "../../engine/crc32.ts";
import { InputError } from "../../engine/errors.ts";
import { toRow, type LogEntry, type LogFormat } from "./rows.ts";

/** A record is its length, a checksum of that, the content, and a checksum of it. */
const headLength = 12;
const tailLength = 4;

/** No scalar needs more; a longer record is of images, or damaged. */
const longestRecord = 2 ** 28;

/**
 * A reader of event files.
 *
 * @param name what errors call the file.
 */
export function eventFile(name: string): LogFormat {
  let rest: Uint8Array = new Uint8Array();
  let place = 0;
  const refuse = (reason: string) =>
    new InputError(`invalid event file ${name}: ${reason} at byte ${place} (it was damaged)`);
  return {
    read(bytes) {
      const all = new Uint8Array(rest.length + bytes.length);
      all.set(rest);
      all.set(bytes, rest.length);
      const view = new DataView(all.buffer);
      const entries: LogEntry[] = [];
      let at = 0;
      while (all.length - at >= headLength) {
        const length = Number(view.getBigUint64(at, true));
        const isHead = view.getUint32(at + 8, true) === masked(all.subarray(at, at + 8));
        if (!isHead || length > longestRecord) throw refuse("no record begins");
        const end = at + headLength + length + tailLength;
        if (end > all.length) break;
        const content = all.subarray(at + headLength, end - tailLength);
        if (view.getUint32(end - tailLength, true) !== masked(content)) {
          throw refuse("a record does not have its checksum");
        }
        entries.push(...readEvent(content, refuse));
        place += end - at;
        at = end;
      }
      rest = all.slice(at);
      return entries;
    },
  };
}

/** Whether bytes begin like an event file. */
export const isEventFile = (bytes: Uint8Array): boolean =>
  bytes.length >= headLength &&
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true) === masked(bytes.subarray(0, 8));

/** The checksum as TensorFlow stores it: turned by 15 bits, plus a constant. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Fields of the messages Event, Summary, Summary.Value and TensorProto. */
const eventFields = { step: 2, summary: 5 } as const;
const summaryFields = { value: 1 } as const;
const valueFields = { tag: 1, simpleValue: 2, tensor: 8 } as const;
const tensorFields = { type: 1, content: 4, floats: 5, doubles: 6 } as const;
const types = { float: 1, double: 2 } as const;

function readEvent(content: Uint8Array, refuse: (reason: string) => InputError): LogEntry[] {
  try {
    let step = 0;
    const scalars: [string, number][] = [];
    eachField(content, (field, reader, wire) => {
      if (field === eventFields.step && wire === WireType.Varint) step = Number(reader.int64());
      else if (field === eventFields.summary && wire === WireType.LengthDelimited) {
        scalars.push(...readSummary(reader.bytes()));
      } else reader.skip(wire);
    });
    return scalars.length === 0 ? [] : [{ row: toRow([...scalars, ["step", step]]) }];
  } catch (error) {
    throw error instanceof InputError ? error : refuse("a record cannot be read");
  }
}

function readSummary(content: Uint8Array): [string, number][] {
  const scalars: [string, number][] = [];
  eachField(content, (field, reader, wire) => {
    if (field !== summaryFields.value || wire !== WireType.LengthDelimited) {
      reader.skip(wire);
      return;
    }
    let tag = "";
    let scalar: number | undefined;
    eachField(reader.bytes(), (field, reader, wire) => {
      if (field === valueFields.tag && wire === WireType.LengthDelimited) tag = reader.string();
      else if (field === valueFields.simpleValue && wire === WireType.Bit32) {
        scalar = reader.float();
      } else if (field === valueFields.tensor && wire === WireType.LengthDelimited) {
        scalar = readScalarTensor(reader.bytes());
      } else reader.skip(wire);
    });
    if (scalar !== undefined) scalars.push([tag, scalar]);
  });
  return scalars;
}

/** A tensor of one number, as newer writers have scalars; others are no scalars. */
function readScalarTensor(content: Uint8Array): number | undefined {
  let type = 0;
  let found: number | undefined;
  let raw: Uint8Array = new Uint8Array();
  eachField(content, (field, reader, wire) => {
    if (field === tensorFields.type && wire === WireType.Varint) type = reader.int32();
    else if (wire === WireType.LengthDelimited) {
      const packed = reader.bytes();
      if (field === tensorFields.content) raw = packed;
      if (field === tensorFields.floats) [type, raw] = [types.float, packed];
      if (field === tensorFields.doubles) [type, raw] = [types.double, packed];
    } else if (field === tensorFields.floats && wire === WireType.Bit32) found = reader.float();
    else if (field === tensorFields.doubles && wire === WireType.Bit64) found = reader.double();
    else reader.skip(wire);
  });
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  if (type === types.float && raw.length === 4) return view.getFloat32(0, true);
  if (type === types.double && raw.length === 8) return view.getFloat64(0, true);
  return found;
}

function eachField(
  content: Uint8Array,
  take: (field: number, reader: BinaryReader, wire: WireType) => void,
): void {
  const reader = new BinaryReader(content);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    take(field, reader, wire);
  }
}
