/** TensorBoard folders: one event file per run, which grows while the run does. */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { fileError, makeFolder } from "../platform/node/files.ts";
import type { MetricRow } from "../run/history.ts";
import { tensorBoardEvent, tensorBoardHeader } from "../run/tensorboard.ts";

/** An event file being written. */
export interface EventFile {
  readonly path: string;
  /** Add rows. */
  append(rows: readonly MetricRow[]): Promise<void>;
  close(): Promise<void>;
}

/** Begin an event file in a folder, beside those that other runs wrote there. */
export async function openEvents(folder: string): Promise<EventFile> {
  await makeFolder(folder);
  const began = Date.now();
  // TensorBoard reads what is called so, in the order of the names.
  const path = join(
    folder,
    `events.out.tfevents.${Math.floor(began / 1000)}.lucid.${began % 1000}.${process.pid}`,
  );
  const write = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw fileError(error, "write", path);
    }
  };
  const file = await write(() => open(path, "ax"));
  await write(() => file.appendFile(tensorBoardHeader(began / 1000)));
  return {
    path,
    async append(rows) {
      const seconds = Date.now() / 1000;
      const events = rows.map((row) => tensorBoardEvent(row, seconds));
      if (events.length > 0) await write(() => file.appendFile(Buffer.concat(events)));
    },
    close: () => file.close(),
  };
}
