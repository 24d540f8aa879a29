/** The lab's server: on this machine alone, for whoever has its address. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { InputError } from "../engine/errors.ts";
import { packageVersion } from "../platform/node/machine.ts";
import { createApp } from "./app.ts";
import { showFolders, type ShownOptions } from "./shown.ts";
import { readSite } from "./site.ts";
import { createTokens } from "./tokens.ts";

/** How a server is started. */
export interface LabOptions extends ShownOptions {
  /** Folders to show. */
  readonly folders: readonly string[];
  /** Gives the folder of the built pages, once the folders to show are known to be there. */
  readonly site: () => Promise<string>;
  /** Default: any that is free. */
  readonly port?: number | undefined;
  /** Milliseconds between signs of life in `/events`; default 15,000. */
  readonly heartbeat?: number | undefined;
}

/** A server that runs. */
export interface LabServer {
  /** With the token. */
  readonly address: string;
  /** An address that lets in once. */
  addressOnce(): string;
  /** End it, and every connection. */
  close(): Promise<void>;
}

/** Start the server. */
export async function startLab({
  folders,
  site,
  port = 0,
  heartbeat,
  ...looking
}: LabOptions): Promise<LabServer> {
  const shown = await showFolders(folders, looking);
  const files = await readSite(await site());
  const tokens = createTokens();
  const ending = new AbortController();
  const app = createApp({
    shown,
    site: files,
    tokens,
    version: packageVersion,
    signal: ending.signal,
    heartbeat,
  });
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server;
  await new Promise<void>((done, fail) => {
    server.once("error", (error: NodeJS.ErrnoException) => fail(portError(error, port)));
    server.listen(port, "127.0.0.1", done);
  });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/?token=`;
  return {
    address: base + tokens.printed,
    addressOnce: () => base + tokens.once(),
    async close() {
      shown.close();
      ending.abort();
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}

function portError(error: NodeJS.ErrnoException, port: number): Error {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: "it is taken; choose another, or leave it out",
    EACCES: "not permitted; choose one above 1023, or leave it out",
  };
  const reason = reasons[error.code ?? ""];
  return reason === undefined ? error : new InputError(`invalid port: ${port} (${reason})`);
}
