/** CRC-32 as in ZIP, gzip and PNG (ISO 3309): notices every burst of up to 32 damaged bits. */

/** The reversed polynomial, divided into every byte. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

/** The checksum of bytes; of several pieces where each is given the one before. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let rest = ~before;
  for (let i = 0; i < bytes.length; i++) {
    rest = (table[(rest ^ (bytes[i] as number)) & 0xff] as number) ^ (rest >>> 8);
  }
  return ~rest >>> 0;
}

/** A checksum as eight hexadecimal digits. */
export const crcText = (crc: number): string => crc.toString(16).padStart(8, "0");
