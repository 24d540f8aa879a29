/** Points, read: tensors by name in a safetensors or npz file. */
import { InputError } from "../engine/errors.ts";
import { readNpz } from "../engine/npz.ts";
import { readSafetensors } from "../engine/safetensors.ts";
import type { Tensor } from "../engine/tensor.ts";

/**
 * Read a file of tensors. `matchModel` makes the model of a problem of them.
 *
 * @param path what messages call it.
 * @throws {InputError} when it is none, or damaged.
 */
export function readTensors(bytes: Uint8Array, path: string): Readonly<Record<string, Tensor>> {
  if (isCheckpoint(bytes)) {
    throw new InputError(
      `invalid file ${path}: a checkpoint of PyTorch, which runs code when it is read (save it by: from safetensors.torch import save_file; save_file(model.state_dict(), "model.safetensors"))`,
    );
  }
  // A ZIP archive begins with PK, whatever its name.
  const isArchive = bytes[0] === 0x50 && bytes[1] === 0x4b;
  return isArchive ? readNpz(bytes, { name: path }) : readSafetensors(bytes, path).tensors;
}

/** Whether bytes are what `torch.save` writes: a ZIP archive of a pickle, or, before 1.6, pickles. */
function isCheckpoint(bytes: Uint8Array): boolean {
  const [first, second] = bytes;
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 1024));
  if (first === 0x50 && second === 0x4b)
    return /\/(data|constants)\.pkl|\/\.format_version/.test(head);
  return first === 0x80 && (second ?? 0) <= 5;
}
