/** One writer per folder, across processes: a lock that dead processes cannot keep. */
import { randomUUID } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { InputError } from "../../engine/errors.ts";
import { fileError, writeJson } from "./files.ts";

/** Who holds a lock. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the lock was taken, in ISO 8601. */
  readonly since: string;
  /** What tells a process from a later one of the same pid; `null` where the system cannot say. */
  readonly process: string | null;
}

export interface Lock {
  release(): Promise<void>;
}

/** Tries before giving up: two processes that start at once may both withdraw the first time. */
const tries = 4;

/**
 * Take the lock of a folder.
 *
 * Every process puts up a lock file of its own name, then looks for others: the later of two must
 * see the earlier one's, so at most one goes on. Names are never used twice, so that deleting the
 * file of a dead process can never delete a live one's.
 *
 * @throws {InputError} when another process holds it.
 */
export async function takeLock(folder: string): Promise<Lock> {
  const name = `lock-${randomUUID()}.json`;
  const path = join(folder, name);
  const holder: Holder = {
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    process: await processIdentity(process.pid),
  };
  for (let attempt = 1; ; attempt++) {
    await writeJson(path, holder);
    const other = await liveHolder(folder, name);
    if (other === undefined) return { release: () => rm(path, { force: true }) };
    await rm(path, { force: true });
    if (attempt === tries) throw new InputError(refusal(folder, other));
    await sleep(50 + 100 * Math.random());
  }
}

/** A living process that holds the folder; files of dead ones are cleared away. */
async function liveHolder(folder: string, own?: string) {
  const names = await readdir(folder).catch((error: unknown) => {
    throw fileError(error, "read", folder);
  });
  for (const name of names) {
    if (!/^lock-.*\.json$/.test(name) || name === own) continue;
    const path = join(folder, name);
    const text = await readFile(path, "utf8").catch(() => undefined);
    // Released in this moment.
    if (text === undefined) continue;
    const holder = JSON.parse(text) as Holder;
    if (await isAlive(holder)) return { ...holder, path };
    await rm(path, { force: true });
  }
  return undefined;
}

function refusal(folder: string, { pid, host, since, path }: Holder & { path: string }): string {
  return host === hostname()
    ? `invalid folder ${folder}: process ${pid} has been writing to it since ${since} (wait for it or stop it)`
    : `invalid folder ${folder}: process ${pid} on ${host} has been writing to it since ${since} (wait for it; if that machine is gone, delete ${path})`;
}

/** Of processes elsewhere nothing is known: they count as alive. */
async function isAlive({ pid, host, process: identity }: Holder): Promise<boolean> {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  return identity === null || identity === (await processIdentity(pid));
}

/** Boot and start time of a process: pids are used again, these are not. Linux only. */
async function processIdentity(pid: number): Promise<string | null> {
  try {
    const [boot, stat] = await Promise.all([
      readFile("/proc/sys/kernel/random/boot_id", "utf8"),
      readFile(`/proc/${pid}/stat`, "utf8"),
    ]);
    // The name in parentheses may hold spaces; the start time is the 20th field after it.
    const started = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return `${boot.trim()} ${started}`;
  } catch {
    return null;
  }
}
