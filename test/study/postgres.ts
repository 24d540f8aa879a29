/** A PostgreSQL server of the test's own, in a temporary folder, as a user without rights. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chownSync, existsSync, mkdtempSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Folder of the server's programs, from the distribution's packages. */
function findBinaries(): string | undefined {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).sort() : [];
  return versions
    .map((version) => join(root, version, "bin"))
    .findLast((bin) => existsSync(join(bin, "initdb")));
}

const binaries = findBinaries();

/** Why there is no server to test with; `undefined` when there is. */
export const noPostgres =
  binaries === undefined && process.env["LUCID_POSTGRES"] === undefined
    ? "PostgreSQL is not installed (apt-get install postgresql); its tests are skipped"
    : undefined;

export interface Server extends Database {
  readonly port: number;
  /** Stop at once, as a crash would, and start again after `pause` milliseconds. */
  restart(pause: number): Promise<void>;
}

/** A database of a test's own. */
export interface Database {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * A new database: on the server that LUCID_POSTGRES names (`postgres://user@host:5432/postgres`),
 * which many short series of tests may share, else on one that is started for it.
 */
export async function startDatabase(): Promise<Database> {
  const shared = process.env["LUCID_POSTGRES"];
  if (shared === undefined) return startServer();
  const name = `lucid_${randomUUID().replaceAll("-", "")}`;
  const psql = (sql: string) => run("psql", ["-d", shared, "-qc", sql]);
  await psql(`CREATE DATABASE ${name}`);
  return {
    url: new URL(name, shared).href,
    async stop() {
      await psql(`DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

/** Start a server that listens on all addresses of this machine and trusts everybody. */
export async function startServer(): Promise<Server> {
  if (binaries === undefined) throw new Error(noPostgres);
  const folder = mkdtempSync(join(tmpdir(), "lucid-postgres-"));
  const identity = await serverUser();
  if (identity) chownSync(folder, identity.uid, identity.gid);
  const data = join(folder, "data");
  const as = { ...identity, cwd: folder };
  await run(join(binaries, "initdb"), ["-D", data, "-A", "trust", "-U", "lucid", "--no-sync"], as);
  const port = await freePort();
  let server: ChildProcess;
  const start = async () => {
    const options = { port, unix_socket_directories: folder, listen_addresses: "*", fsync: "off" };
    server = spawn(
      join(binaries, "postgres"),
      [
        "-D",
        data,
        ...Object.entries(options).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ],
      { ...as, stdio: "ignore" },
    );
    const ready = ["-h", "127.0.0.1", "-p", String(port), "-q"];
    for (let tries = 0; tries < 300; tries++) {
      const up = await run(join(binaries, "pg_isready"), ready).then(
        () => true,
        () => false,
      );
      if (up) return;
      await sleep(100);
    }
    throw new Error("the server did not start");
  };
  const end = async () => {
    const ended = new Promise((resolve) => server.once("exit", resolve));
    // Immediate shutdown: connections break, the log is replayed at the next start.
    server.kill("SIGQUIT");
    await ended;
  };
  await start();
  // Access from other addresses of this machine, as from another machine.
  const sql = "COPY (SELECT 'host all all all trust') TO PROGRAM 'cat >> \"$PGDATA\"/pg_hba.conf'";
  const psql = ["-h", "127.0.0.1", "-p", String(port), "-U", "lucid", "-d", "postgres", "-qc"];
  await run(join(binaries, "psql"), [...psql, sql.replace('"$PGDATA"', data)]);
  await run(join(binaries, "psql"), [...psql, "SELECT pg_reload_conf()"]);
  return {
    url: `postgres://lucid@127.0.0.1:${port}/postgres`,
    port,
    async restart(pause) {
      await end();
      await sleep(pause);
      await start();
    },
    async stop() {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to run as root: then it runs as the user its package made, or as nobody. */
async function serverUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    try {
      const ids = await Promise.all([run("id", ["-u", name]), run("id", ["-g", name])]);
      const [uid, gid] = ids.map(({ stdout }) => Number(stdout));
      return { uid: uid as number, gid: gid as number };
    } catch {
      continue;
    }
  }
  throw new Error("no user to run PostgreSQL as");
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
