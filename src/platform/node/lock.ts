/** Locks of folders: one writer at a time across processes, and no lock that a dead process keeps. */
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
  /**
   * Give the lock back; a file that cannot be removed stays, and is cleared away by the next
   * process once this one is gone. Never fails, so that it cannot hide why it was called.
   */
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
    const release = () => rm(path, { force: true }).catch(() => undefined);
    const other = await liveHolder(folder, name).catch(async (error: unknown) => {
      await release();
      throw error;
    });
    if (other === undefined) return { release };
    await release();
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
    const holder = parseHolder(text, path);
    if (await isAlive(holder)) return { ...holder, path };
    await rm(path, { force: true }).catch((error: unknown) => {
      throw fileError(error, "write", path);
    });
  }
  return undefined;
}

function parseHolder(text: string, path: string): Holder {
  try {
    const { pid, host, since, process } = JSON.parse(text) as { [Key in keyof Holder]: unknown };
    if (
      Number.isSafeInteger(pid) &&
      Number(pid) > 0 &&
      typeof host === "string" &&
      typeof since === "string" &&
      (typeof process === "string" || process === null)
    ) {
      return { pid: Number(pid), host, since, process };
    }
  } catch {
    // No JSON, or nothing that has fields.
  }
  throw new InputError(
    `invalid file ${path}: not the lock of a process (delete it if nothing writes to the folder)`,
  );
}

function refusal(folder: string, { pid, host, since, path }: Holder & { path: string }): string {
  return host === hostname()
    ? `invalid folder ${folder}: process ${pid} has been writing to it since ${since} (wait for it or stop it)`
    : `invalid folder ${folder}: process ${pid} on ${host} has been writing to it since ${since} (wait for it; if that machine is gone, delete ${path})`;
}

/**
 * Of processes elsewhere nothing is known: they count as alive. A process that has ended, but that
 * its parent has not asked about yet, still has a pid: in containers whose first process never
 * asks, for ever.
 */
async function isAlive({ pid, host, process: identity }: Holder): Promise<boolean> {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const stat = await processStat(pid);
  if (stat?.state === "Z" || stat?.state === "X") return false;
  return identity === null || identity === (await processIdentity(pid));
}

/** Boot and start time of a process: pids are used again, these are not. Linux only. */
async function processIdentity(pid: number): Promise<string | null> {
  try {
    const [boot, stat] = await Promise.all([
      readFile("/proc/sys/kernel/random/boot_id", "utf8"),
      processStat(pid),
    ]);
    return stat ? `${boot.trim()} ${stat.started}` : null;
  } catch {
    return null;
  }
}

/** State and start time of a process; `undefined` where the system does not say. Linux only. */
async function processStat(pid: number) {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (stat === undefined) return undefined;
  // The name in parentheses may hold spaces. The state follows it, and 19 fields on the start.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0], started: fields[19] };
}
