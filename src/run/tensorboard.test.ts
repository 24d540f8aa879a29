import { expect, test } from "vitest";
import { tensorBoardEvent, tensorBoardHeader } from "./tensorboard.ts";

/** CRC-32C bit by bit, as RFC 3720 defines it. */
function castagnoli(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

const masked = (crc: number) =>
  Number((BigInt((crc >>> 15) | 0) + BigInt((crc << 17) >>> 0) + 0xa282ead8n) % 2n ** 32n);

/** The data of a record whose length and checksums are right. */
function unframe(record: Uint8Array): Uint8Array {
  const view = new DataView(record.buffer);
  const length = Number(view.getBigUint64(0, true));
  expect(record.length).toBe(length + 16);
  expect(view.getUint32(8, true)).toBe(masked(castagnoli(record.subarray(0, 8))));
  const data = record.subarray(12, 12 + length);
  expect(view.getUint32(12 + length, true)).toBe(masked(castagnoli(data)));
  return data;
}

/** Fields of a protobuf message whose numbers and lengths fit into one byte each. */
function fieldsOf(data: Uint8Array): [field: number, value: number | Uint8Array][] {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const found: [number, number | Uint8Array][] = [];
  for (let at = 0; at < data.length;) {
    const [tag = 0, length = 0] = data.subarray(at, at + 2);
    const body = data.subarray(at + 2, at + 2 + length);
    const [value, size] = (
      [
        () => [length, 2],
        () => [view.getFloat64(at + 1, true), 9],
        () => [body, 2 + length],
        undefined,
        undefined,
        () => [view.getFloat32(at + 1, true), 5],
      ] satisfies ((() => [number | Uint8Array, number]) | undefined)[]
    )[tag & 7]?.() ?? [0, data.length];
    found.push([tag >> 3, value]);
    at += size;
  }
  return found;
}

test("the checksum is Castagnoli's: that of nine digits is known", () => {
  expect(castagnoli(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
});

test("a file begins with the version of events", () => {
  const fields = fieldsOf(unframe(tensorBoardHeader(1234.5)));
  expect(fields[0]).toEqual([1, 1234.5]);
  expect(new TextDecoder().decode(fields[1]?.[1] as Uint8Array)).toBe("brain.Event:2");
});

test("a row is an event with its step and one scalar per number", () => {
  const row = {
    step: 7,
    loss: 0.5,
    shiftedLoss: 1e300,
    gradNorm: 2,
    shiftedGradNorm: 0.5,
    cosine: -1,
  };
  const data = unframe(tensorBoardEvent({ ...row, details: { a: 3 } }, 10));
  const [wallTime, step, summary] = fieldsOf(data);
  expect([wallTime, step]).toEqual([
    [1, 10],
    [2, 7],
  ]);
  expect(summary?.[0]).toBe(5);
  const scalars = fieldsOf(summary?.[1] as Uint8Array).map(([field, value]) => {
    expect(field).toBe(1);
    const [[, tag], [, number]] = fieldsOf(value as Uint8Array) as [[1, Uint8Array], [2, number]];
    return [new TextDecoder().decode(tag), number];
  });
  expect(Object.fromEntries(scalars)).toEqual({
    loss: 0.5,
    shiftedLoss: Infinity,
    gradNorm: 2,
    shiftedGradNorm: 0.5,
    gradRatio: 0.25,
    cosine: -1,
    "details/a": 3,
  });
});
