/** Drops as a browser makes them, for tests: folders with their folders, which no test may make itself. */
import type { Page } from "playwright";

/** A file in what is dropped. */
export interface DroppedFile {
  /** With `/` between names. */
  readonly path: string;
  readonly base64: string;
}

/** Drop files, in their folders, on the drop zone of the runs view. */
export async function drop(page: Page, files: readonly DroppedFile[]): Promise<void> {
  const zone = page.getByRole("region", { name: "Drop zone" });
  await zone.waitFor();
  await page.evaluate((given) => {
    /** Entries as the File System API has them, which cannot be made. */
    const entriesIn = (folder: string): object[] => {
      const inside = given.filter(({ path }) => path.startsWith(folder));
      const names = new Set(inside.map(({ path }) => path.slice(folder.length).split("/")[0]));
      return [...names].map((name) => {
        const path = `${folder}${name}`;
        const found = inside.find((file) => file.path === path);
        const entry = { name, fullPath: `/${path}`, isFile: found !== undefined };
        if (found) {
          const bytes = Uint8Array.from(atob(found.base64), (digit) => digit.charCodeAt(0));
          const file = new File([bytes], name ?? "");
          return { ...entry, file: (done: (file: File) => void) => done(file) };
        }
        const batches = [entriesIn(`${path}/`), []];
        const createReader = () => ({
          readEntries: (done: (entries: object[]) => void) => done(batches.shift() ?? []),
        });
        return { ...entry, createReader };
      });
    };
    const items = entriesIn("").map((entry) => ({
      kind: "file",
      webkitGetAsEntry: () => entry,
    }));
    const event = new Event("drop", { bubbles: true, cancelable: true });
    Object.defineProperty(event, "dataTransfer", { value: { items, files: [] } });
    document.querySelector('[aria-label="Drop zone"]')?.dispatchEvent(event);
  }, files);
}
