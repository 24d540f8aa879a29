/** Studies by name: in a folder or file, or in the database of `--store` or DATABASE_URL. */
import { existsSync } from "node:fs";
import { InputError } from "../../engine/errors.ts";
import { readStudyDatabase } from "../../store/database.ts";
import type { Postgres } from "../../platform/node/postgres.ts";
import type { Queue } from "../../store/queue.ts";
import type { StoredStudy } from "../../store/store.ts";
import { readStudyFolder } from "../../store/study-folder.ts";
import { wholeNumber } from "./arguments.ts";

/** The database meant where no folder is: the flag, or what the environment says. */
export const storeUrl = (flag: string | undefined): string | undefined =>
  flag ?? process.env["DATABASE_URL"];

/** Loaded on demand: most commands do without a database. */
const connect = async (url: string) =>
  (await import("../../platform/node/postgres.ts")).connectPostgres(url);
const openQueue = async (db: Postgres, seconds?: number) =>
  (await import("../../store/queue.ts")).openQueue(db, seconds);

/** The queue of cells in a database; `heartbeat`: seconds until a silent worker counts as dead. */
export const connectQueue = async (url: string, heartbeat?: string): Promise<Queue> => {
  const seconds = wholeNumber("heartbeat", heartbeat);
  if (seconds !== undefined && seconds < 10) {
    throw new InputError(`invalid heartbeat: ${seconds} (give 10 seconds or more)`);
  }
  return openQueue(await connect(url), seconds);
};

/** A study that was swept before. */
export async function openStored(name: string, store: string | undefined): Promise<StoredStudy> {
  const url = storeUrl(store);
  if (url === undefined || (store === undefined && existsSync(name))) return readStudyFolder(name);
  const db = await connect(url);
  try {
    let queue: Queue | undefined;
    const stored = await readStudyDatabase(db, name, async (sql, cells) =>
      queue?.requeue(sql, name, cells),
    );
    return {
      ...stored,
      async drop(unwanted) {
        // Only this needs the queue, and the right to write.
        queue ??= await openQueue(db);
        return stored.drop(unwanted);
      },
      close: () => (queue ?? db).close(),
    };
  } catch (error) {
    await db.close();
    throw error;
  }
}
