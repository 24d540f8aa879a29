/** PostgreSQL: one pool of connections, errors that people can read. */
import { Pool, type PoolClient, type QueryResult } from "pg";
import { InputError, reasonOf } from "../../engine/errors.ts";
import { isOutage } from "./outage.ts";

/** What runs statements: the pool, or a transaction. */
export interface Sql {
  query<R extends object>(text: string, values?: readonly unknown[]): Promise<R[]>;
}

export interface Postgres extends Sql {
  /** The address without anything that may be secret. */
  readonly name: string;
  /** Run `work` in one transaction: all of it or nothing. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/**
 * Connect.
 *
 * @param url `postgres://user:password@host:5432/database`.
 * @throws {InputError} when the address is none, or the server refuses; so does every statement
 *   that this role may not make.
 */
export async function connectPostgres(url: string): Promise<Postgres> {
  const name = redact(url);
  const pool = new Pool({
    connectionString: url,
    application_name: "lucid-sam",
    max: 8,
    connectionTimeoutMillis: 10_000,
    // A cut wire is silent: without a limit, a query over it would wait for a quarter of an hour.
    query_timeout: 60_000,
    keepAlive: true,
  });
  const forbidden = (cause: unknown) =>
    new InputError(
      `invalid store ${name}: ${reasonOf(cause)} (this role may not do that: have it granted, or use another)`,
      { cause },
    );
  // Connections that break while idle are replaced by the next query.
  pool.on("error", () => {});
  const sqlOf = (client: Pick<PoolClient, "query"> | Pool): Sql => ({
    async query<R extends object>(text: string, values?: readonly unknown[]) {
      const result: QueryResult | QueryResult[] = await client
        .query(text, values as unknown[])
        .catch((error: unknown) => {
          throw isForbidden(error) ? forbidden(error) : error;
        });
      // Several statements at once bring several results; the last one counts.
      const last = Array.isArray(result) ? result.at(-1) : result;
      return (last?.rows ?? []) as R[];
    },
  });
  const postgres: Postgres = {
    name,
    ...sqlOf(pool),
    async transaction(work) {
      const client = await pool.connect();
      let broken: Error | undefined;
      // Without a listener, a connection that breaks between two queries would end the process.
      const onError = (error: Error) => (broken = error);
      client.on("error", onError);
      try {
        await client.query("BEGIN");
        const result = await work(sqlOf(client));
        await client.query("COMMIT");
        return result;
      } catch (error) {
        if (isOutage(error)) broken ??= error as Error;
        else await client.query("ROLLBACK").catch((failure: Error) => (broken ??= failure));
        throw error;
      } finally {
        client.off("error", onError);
        client.release(broken);
      }
    },
    close: () => pool.end(),
  };
  try {
    await pool.query("SELECT 1");
  } catch (error) {
    await pool.end();
    throw new InputError(
      `invalid store ${name}: ${reasonOf(error)} (check the address, the password, and that the server runs)`,
      { cause: error },
    );
  }
  return postgres;
}

function redact(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new InputError("invalid store: not an address (give postgres://user@host:5432/database)");
  }
  if (!["postgres:", "postgresql:"].includes(parsed.protocol)) {
    throw new InputError(
      `invalid store: ${parsed.protocol} (give postgres://user@host:5432/database)`,
    );
  }
  if (parsed.password !== "") parsed.password = "***";
  // What else the query may hold, a password among it, nobody needs to see.
  for (const key of new Set(parsed.searchParams.keys())) {
    if (!shownParameters.includes(key)) parsed.searchParams.delete(key);
  }
  parsed.hash = "";
  return parsed.href;
}

/** What of a query tells one database from another. */
const shownParameters = ["host", "port", "user", "dbname"];

/** Insufficient privilege, and writes in a transaction or a server that only reads. */
const isForbidden = (error: unknown): boolean =>
  error instanceof Error && "code" in error && ["42501", "25006"].includes(String(error.code));
