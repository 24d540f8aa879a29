/** CRC-32 as in ZIP, gzip and PNG (ISO 3309): notices every burst of up to 32 damaged bits. */

/** A checksum by a reversed polynomial, which is divided into every byte. */
function checksum(polynomial: number) {
  const table = Uint32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ polynomial : rest >>> 1;
    return rest;
  });
  return (bytes: Uint8Array, before = 0): number => {
    let rest = ~before;
    for (let i = 0; i < bytes.length; i++) {
      rest = (table[(rest ^ (bytes[i] as number)) & 0xff] as number) ^ (rest >>> 8);
    }
    return ~rest >>> 0;
  };
}

/** The checksum of bytes; of several pieces where each is given the one before. */
export const crc32: (bytes: Uint8Array, before?: number) => number = checksum(0xedb88320);

/** CRC-32C (Castagnoli 1993), as TensorBoard's files have it. */
export const crc32c: (bytes: Uint8Array, before?: number) => number = checksum(0x82f63b78);

/** A checksum as eight hexadecimal digits. */
export const crcText = (crc: number): string => crc.toString(16).padStart(8, "0");
