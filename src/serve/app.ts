/** Answers of the lab's server: its pages, the files of the folders it shows, and what changes there. */
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { Hono, type Context } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { streamSSE } from "hono/streaming";
import { isOwnHost, isOwnRequest, securityHeaders } from "./headers.ts";
import type { NamedChange, Shown } from "./shown.ts";
import type { SiteFile } from "./site.ts";
import type { Tokens } from "./tokens.ts";

/** What a server answers with. */
export interface AppOptions {
  readonly shown: Shown;
  readonly site: ReadonlyMap<string, SiteFile>;
  readonly tokens: Tokens;
  /** Version of this package. */
  readonly version: string;
  /** Aborted when the server ends. */
  readonly signal: AbortSignal;
  /** Milliseconds between signs of life to those who follow; default 15,000. */
  readonly heartbeat?: number | undefined;
}

/** Milliseconds after which a browser that lost the connection comes back. */
const retry = 1000;
/** Changes that wait for a slow reader before it is told to list anew. */
const mostWaiting = 4096;

/** The server's answers; only GET and HEAD, only to this machine's browser with a token. */
export function createApp({
  shown,
  site,
  tokens,
  version,
  signal,
  heartbeat = 15_000,
}: AppOptions): Hono {
  const app = new Hono();
  const refuse = (c: Context, status: 400 | 403 | 404 | 405 | 416, reason: string) =>
    c.text(`${reason}\n`, status);

  app.use(async (c, next) => {
    for (const [name, value] of Object.entries(securityHeaders)) c.header(name, value);
    c.header("Cache-Control", "no-store");
    const host = c.req.header("host");
    if (!isOwnHost(host)) return refuse(c, 403, "invalid host: not a name of this machine");
    if (c.req.method !== "GET" && c.req.method !== "HEAD") {
      c.header("Allow", "GET, HEAD");
      return refuse(c, 405, `invalid method: ${c.req.method} (this server only shows)`);
    }
    const own = {
      host,
      origin: c.req.header("origin"),
      site: c.req.header("sec-fetch-site"),
    };
    if (!isOwnRequest(own)) {
      return refuse(
        c,
        403,
        "invalid origin: another site asked (open the address that lucid lab printed yourself)",
      );
    }
    // Cookies are shared by all ports of a machine.
    const name = `lucid-lab-${new URL(c.req.url).port}`;
    const token = c.req.query("token");
    if (token !== undefined && c.req.path === "/") {
      if (!tokens.lets(token)) {
        return refuse(c, 403, "invalid token (open the address that lucid lab printed last)");
      }
      setCookie(c, name, tokens.cookie, { httpOnly: true, sameSite: "Strict", path: "/" });
      return c.redirect("/", 303);
    }
    const cookie = getCookie(c, name);
    if (cookie === undefined || !tokens.knows(cookie)) {
      return refuse(c, 403, "missing token (open the address that lucid lab printed)");
    }
    return next();
  });

  app.get("/files/list", async (c) => c.json({ version, ...(await shown.list()) }));

  app.get("/files/*", async (c) => {
    const path = decoded(c.req.path.slice("/files/".length));
    const file = path === undefined ? undefined : await shown.open(path);
    if (file === undefined) return refuse(c, 404, "unknown file (see /files/list)");
    const { size } = await file.stat();
    const from = wholeNumber(c.req.query("from"), 0);
    const to = wholeNumber(c.req.query("to"), size);
    if (from === undefined || to === undefined || from > to || to > size) {
      await file.close();
      return refuse(c, 416, `invalid from or to (the file has ${size} bytes)`);
    }
    c.header("Content-Type", "application/octet-stream");
    c.header("Content-Length", String(to - from));
    if (c.req.method === "HEAD" || from === to) {
      await file.close();
      return c.body(null);
    }
    return c.body(streamOf(file.createReadStream({ start: from, end: to - 1 })));
  });

  app.get("/events", (c) => {
    c.header("X-Accel-Buffering", "no");
    if (c.req.method === "HEAD") {
      c.header("Content-Type", "text/event-stream");
      return c.body(null);
    }
    const since = c.req.header("last-event-id") ?? c.req.query("since");
    return streamSSE(c, async (stream) => {
      const waiting: NamedChange[] = [];
      let wake = () => {};
      const stop = shown.follow(since, (change) => {
        if (waiting.length < mostWaiting) waiting.push(change);
        else waiting.splice(0, waiting.length, { kind: "anew", id: change.id });
        wake();
      });
      const end = () => wake();
      signal.addEventListener("abort", end);
      stream.onAbort(end);
      try {
        await stream.write(`retry: ${retry}\n\n`);
        while (!stream.aborted && !signal.aborted) {
          const change = waiting.shift();
          if (change !== undefined) {
            const { id, kind, ...data } = change;
            await stream.writeSSE({ id, event: kind, data: JSON.stringify(data) });
            continue;
          }
          const isIdle = await new Promise<boolean>((done) => {
            const timer = setTimeout(() => done(true), heartbeat);
            wake = () => {
              clearTimeout(timer);
              done(false);
            };
          });
          if (isIdle) await stream.write(": still here\n\n");
        }
      } finally {
        stop();
        signal.removeEventListener("abort", end);
      }
    });
  });

  app.get("*", (c) => {
    const found = site.get(decoded(c.req.path) ?? "");
    if (found === undefined) return refuse(c, 404, "unknown page");
    c.header("Content-Type", found.type);
    c.header("Cache-Control", found.isImmutable ? "max-age=31536000, immutable" : "no-cache");
    if (c.req.method === "HEAD") return c.body(null);
    return c.body(streamOf(createReadStream(found.file)));
  });
  return app;
}

const streamOf = (stream: Readable) => Readable.toWeb(stream) as ReadableStream<Uint8Array>;

/** A path as it was before a browser encoded it; `undefined` when it is none. */
function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** A whole number from an address; `usual` where there is none, `undefined` where it is something else. */
function wholeNumber(text: string | undefined, usual: number): number | undefined {
  if (text === undefined) return usual;
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
