import { crc32 as zlibCrc32 } from "node:zlib";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { crc32, crc32c, crcText } from "./crc32.ts";

test("the checksum is zlib's, in one piece or in two", () => {
  // The check value of the standard.
  expect(crcText(crc32(new TextEncoder().encode("123456789")))).toBe("cbf43926");
  expect(crcText(7)).toBe("00000007");
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      expect(crc32(a)).toBe(zlibCrc32(a));
      expect(crc32(b, crc32(a))).toBe(zlibCrc32(Buffer.concat([a, b])));
    }),
  );
});

test("CRC-32C has the check value of its standard", () => {
  expect(crcText(crc32c(new TextEncoder().encode("123456789")))).toBe("e3069283");
});
