/** The tar format (POSIX ustar): blocks of 512 bytes, a header, then the content of each file. */
import { InputError } from "../../engine/errors.ts";

const block = 512;

/**
 * The regular files of a tar archive by their names without folders, as views of its bytes.
 *
 * @param name what messages call the archive.
 * @throws {InputError} when a header is not one, or the archive ends within a file.
 */
export function readTar(bytes: Uint8Array, name: string): Map<string, Uint8Array> {
  const refuse = (reason: string) =>
    new InputError(`invalid archive ${name}: ${reason}; delete it and download again`);
  const files = new Map<string, Uint8Array>();
  for (let start = 0; start + block <= bytes.length;) {
    const header = bytes.subarray(start, start + block);
    // Two blocks of zeros end an archive.
    if (header.every((byte) => byte === 0)) break;
    const text = (from: number, length: number) =>
      new TextDecoder().decode(header.subarray(from, from + length)).replace(/[\0 ].*$/s, "");
    const size = Number.parseInt(text(124, 12), 8);
    if (!(size >= 0)) throw refuse(`no header at byte ${start}`);
    const content = bytes.subarray(start + block, start + block + size);
    if (content.length !== size) throw refuse("it is cut off");
    // Type 0, in old archives a zero byte: a regular file.
    const type = header[156];
    if (type === 0x30 || type === 0) files.set(text(0, 100).replace(/^.*\//, ""), content);
    start += block * (1 + Math.ceil(size / block));
  }
  return files;
}
