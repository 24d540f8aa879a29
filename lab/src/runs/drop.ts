/** Drops: all files that lie in what was dropped or chosen, folders and their folders among it. */
import type { GivenFile } from "./reader/protocol.ts";

/** Files of one drop that are looked at. */
const most = 100_000;

/** Files of a drop. Must be called while the event is handled: afterwards the browser takes them back. */
export async function filesOfDrop(transfer: DataTransfer | null): Promise<GivenFile[]> {
  const entries = Array.from(transfer?.items ?? [], (item) =>
    item.kind === "file" ? item.webkitGetAsEntry() : null,
  ).filter((entry) => entry !== null);
  const plain = Array.from(transfer?.files ?? [], (file) => ({ path: file.name, file }));
  // Some programs drop files without entries.
  if (entries.length === 0) return plain;
  const found: GivenFile[] = [];
  for (const entry of entries) await gather(entry, found);
  return found;
}

async function gather(entry: FileSystemEntry, found: GivenFile[]): Promise<void> {
  if (found.length >= most || /^\.|^node_modules$/.test(entry.name)) return;
  if (entry.isFile) {
    const file = await new Promise<File>((done, fail) =>
      (entry as FileSystemFileEntry).file(done, fail),
    );
    found.push({ path: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A hundred at a time, until there are no more.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, fail) =>
      reader.readEntries(done, fail),
    );
    if (some.length === 0) return;
    for (const inner of some) await gather(inner, found);
  }
}

/** Files that were chosen; those of a folder with their paths in it. */
export const filesOfInput = (list: FileList | null): GivenFile[] =>
  Array.from(list ?? [], (file) => ({ path: file.webkitRelativePath || file.name, file })).slice(
    0,
    most,
  );
