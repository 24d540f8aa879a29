/** TensorBoard's event files: scalars of a run by step, in records that carry their checksums. */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { crc32c } from "../engine/crc32.ts";
import type { MetricRow } from "./history.ts";

/** Numbers of the fields of the messages `Event`, `Summary` and `Summary.Value` (tensorflow/core). */
const fields = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, value: 1, tag: 1, number: 2 };

/** The beginning of every event file. @param seconds since 1970. */
export const tensorBoardHeader = (seconds: number): Uint8Array =>
  frame(
    new BinaryWriter()
      .tag(fields.wallTime, WireType.Bit64)
      .double(seconds)
      .tag(fields.fileVersion, WireType.LengthDelimited)
      .string("brain.Event:2")
      .finish(),
  );

/** A row as an event with one scalar per number. @param seconds since 1970. */
export function tensorBoardEvent(row: MetricRow, seconds: number): Uint8Array {
  const summary = new BinaryWriter();
  for (const [tag, value] of scalarsOf(row)) {
    const scalar = new BinaryWriter()
      .tag(fields.tag, WireType.LengthDelimited)
      .string(tag)
      .tag(fields.number, WireType.Bit32)
      .float(held(value))
      .finish();
    summary.tag(fields.value, WireType.LengthDelimited).bytes(scalar);
  }
  return frame(
    new BinaryWriter()
      .tag(fields.wallTime, WireType.Bit64)
      .double(seconds)
      .tag(fields.step, WireType.Varint)
      .int64(row.step)
      .tag(fields.summary, WireType.LengthDelimited)
      .bytes(summary.finish())
      .finish(),
  );
}

/** Numbers of a row by the names that they have in TensorBoard. */
function scalarsOf({
  loss,
  shiftedLoss,
  gradNorm,
  shiftedGradNorm,
  cosine,
  details = {},
}: MetricRow) {
  return Object.entries({
    loss,
    shiftedLoss,
    gradNorm,
    shiftedGradNorm,
    gradRatio: shiftedGradNorm / gradNorm,
    cosine,
    ...Object.fromEntries(Object.entries(details).map(([name, x]) => [`details/${name}`, x])),
  });
}

/** A number as float32 holds it: a diverged run may be beyond. */
const held = (value: number): number => Math.fround(value);

/** A record: its length, a checksum of that, the data, and a checksum of them. */
function frame(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(crc32c(bytes.subarray(0, 8))), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, masked(crc32c(data)), true);
  return bytes;
}

/** Turned by 15 bits and moved, so that a checksum of checksums is none of its own. */
const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
