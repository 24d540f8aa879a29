/** The lab's server over real HTTP: who is let in, which files it gives, what it says while they grow. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { request, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createApp } from "../../src/serve/app.ts";
import type { Shown } from "../../src/serve/shown.ts";
import { contentPolicy } from "../../src/serve/headers.ts";
import { createTokens } from "../../src/serve/tokens.ts";
import { startLab, type LabOptions, type LabServer } from "../../src/serve/server.ts";
import { recognize } from "../../src/read/recognize.ts";
import { growingRows } from "../../src/read/study.ts";
import { lucid } from "../lucid.ts";

const bin = resolve(import.meta.dirname, "../../bin/lucid.js");
const secret = "nobody may read this";
let root = "";
let runs = "";
let server: LabServer;
let cookie = "";
const at = (...names: string[]) => join(root, ...names);

/** An answer. */
interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  readonly text: string;
}

const portOf = ({ address }: LabServer) => Number(new URL(address).port);

/** Ask without a browser's care: the path goes out as it is. */
async function ask(
  path: string,
  { headers = {}, method = "GET", of = server }: Partial<Asking> = {},
): Promise<Answer> {
  const asked = request({ host: "127.0.0.1", port: portOf(of), path, method, headers });
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const body = Buffer.concat(await response.toArray());
  const { statusCode: status = 0 } = response;
  return { status, headers: response.headers, body, text: body.toString() };
}

interface Asking {
  readonly headers: { readonly [name: string]: string };
  readonly method: string;
  readonly of: LabServer;
}

/** The cookie that a browser has after it opened an address. */
async function enter(address: string, of = server): Promise<string> {
  const { pathname, search } = new URL(address);
  const { status, headers } = await ask(pathname + search, { of });
  expect(status).toBe(303);
  expect(headers.location).toBe("/");
  const [set = ""] = headers["set-cookie"] ?? [];
  expect(set).toMatch(/^lucid-lab-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  return set.split(";", 1)[0] ?? "";
}

const get = (path: string, headers: Asking["headers"] = {}) =>
  ask(path, { headers: { cookie, ...headers } });

const encoded = (path: string) => `/files/${path.split("/").map(encodeURIComponent).join("/")}`;

interface List {
  readonly folders: readonly string[];
  readonly truncated: boolean;
  readonly event: string;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

const list = async (headers: Asking["headers"] = { cookie }, of = server) =>
  JSON.parse((await ask("/files/list", { headers, of })).text) as List;

/** A server that ends with its test, and the cookie for it. */
async function another(options: Partial<LabOptions>) {
  const lab = await startLab({
    folders: [],
    site: async () => at("site"),
    interval: 50,
    ...options,
  });
  onTestFinished(() => lab.close());
  return { lab, cookie: await enter(lab.address, lab) };
}

beforeAll(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "lucid-serve-")));
  runs = at("ru#ns 50% ä?");
  mkdirSync(at("site", "assets"), { recursive: true });
  writeFileSync(at("site", "index.html"), "<!doctype html><title>lab</title>");
  writeFileSync(at("site", "assets", "a-1b2c.js"), "export {};");
  writeFileSync(at("site", "assets", "b-1b2c.wasm"), "\0asm");
  mkdirSync(runs);
  const train = ["train", "--problem", "cosine", "--rho", "1", "--steps", "30", "--out"];
  expect((await lucid(...train, join(runs, "ü &=+#1"))).code).toBe(0);
  cpSync(join(runs, "ü &=+#1"), join(runs, "damaged"), { recursive: true });
  writeFileSync(join(runs, "damaged", "config.json"), "{");
  writeFileSync(at("secret.jsonl"), secret);
  writeFileSync(join(runs, "secret.txt"), secret);
  writeFileSync(join(runs, ".secret.jsonl"), secret);
  writeFileSync(join(runs, "package.json"), `{"a":"${secret}"}`);
  mkdirSync(join(runs, ".git"));
  writeFileSync(join(runs, ".git", "a.csv"), secret);
  mkdirSync(at("elsewhere"));
  writeFileSync(at("elsewhere", "b.jsonl"), secret);
  symlinkSync(at("secret.jsonl"), join(runs, "link.jsonl"));
  symlinkSync(at("elsewhere"), join(runs, "folder"));
  symlinkSync(runs, join(runs, "circle"));
  server = await startLab({
    folders: [runs],
    site: async () => at("site"),
    interval: 50,
    heartbeat: 100,
  });
  cookie = await enter(server.address);
});

afterAll(async () => {
  await server.close();
  rmSync(root, { recursive: true });
});

describe("who is let in", () => {
  test("nobody without the token, wherever they ask", async () => {
    const name = cookie.split("=", 1)[0] ?? "";
    for (const path of ["/", "/index.html", "/files/list", "/events", "/nothing"]) {
      for (const value of [undefined, "", "x", `${cookie.slice(name.length + 1)}x`]) {
        const headers = value === undefined ? {} : { cookie: `${name}=${value}` };
        const { status, text } = await ask(path, { headers });
        expect(status, path).toBe(403);
        expect(text).toBe("missing token (open the address that lucid lab printed)\n");
      }
    }
    const { status, text, headers } = await ask("/?token=wrong");
    expect(status).toBe(403);
    expect(text).toMatch(/^invalid token \(/);
    expect(headers["set-cookie"]).toBeUndefined();
  });

  test("an address for once lets in once", async () => {
    const address = server.addressOnce();
    expect(await enter(address)).toBe(cookie);
    const { pathname, search } = new URL(address);
    expect((await ask(pathname + search)).status).toBe(403);
  });

  test("no name but this machine's own, so that no other site can be made to point here", async () => {
    const port = portOf(server);
    for (const host of [
      "evil.example",
      `evil.example:${port}`,
      "127.0.0.1.evil.example",
      "127.0.0.1@evil.example",
      "0.0.0.0",
    ]) {
      expect([403, 400], host).toContain((await get("/files/list", { host })).status);
    }
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`]) {
      expect((await get("/files/list", { host })).status, host).toBe(200);
    }
  });

  test("no other site, though it were another port of this machine", async () => {
    const port = portOf(server);
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: `http://127.0.0.1:${port + 1}` },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ]) {
      const { status, text } = await get("/files/list", headers);
      expect(status).toBe(403);
      expect(text).toMatch(/^invalid origin: /);
    }
    for (const headers of [
      { origin: `http://127.0.0.1:${port}` },
      { "sec-fetch-site": "same-origin" },
      { "sec-fetch-site": "none" },
    ]) {
      expect((await get("/files/list", headers)).status).toBe(200);
    }
  });

  test("only to look", async () => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      const { status, headers } = await ask("/files/list", { method, headers: { cookie } });
      expect(status, method).toBe(405);
      expect(headers["allow"]).toBe("GET, HEAD");
    }
    for (const path of [
      "/",
      "/files/list",
      "/events",
      encoded("ru#ns 50% ä?/damaged/config.json"),
    ]) {
      const { status, body } = await ask(path, { method: "HEAD", headers: { cookie } });
      expect([status, body.length], path).toEqual([200, 0]);
    }
  });

  test("every answer says what its page may do", async () => {
    const answers = [
      get("/"),
      ask("/"),
      get("/files/list"),
      get("/nothing"),
      ask("/", { method: "POST" }),
    ];
    for (const { headers } of await Promise.all(answers)) {
      expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'self' /);
      expect(headers["content-security-policy"]).not.toMatch(
        /(?<!style-src 'self' )'unsafe-(inline|eval)'|\*|https?:/,
      );
      expect(headers["referrer-policy"]).toBe("no-referrer");
      expect(headers["x-content-type-options"]).toBe("nosniff");
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    }
  });
});

test("the built pages carry the policy of the server", () => {
  const config = readFileSync(resolve(import.meta.dirname, "../../lab/vite.config.ts"), "utf8");
  const [, list = ""] = /contentSecurityPolicy = \[([^\]]*)\]/.exec(config) ?? [];
  const directives = [...list.matchAll(/"([^"]+)"/g)].map(([, directive]) => directive);
  expect(directives.length).toBeGreaterThan(8);
  // A page cannot say this one itself.
  expect([...directives, "frame-ancestors 'none'"].join("; ")).toBe(contentPolicy);
});

describe("the site", () => {
  test("its files have their types, and nothing else of the disk is there", async () => {
    const page = await get("/");
    expect(page.text).toContain("<title>lab");
    expect(page.headers["content-type"]).toMatch(/^text\/html/);
    expect((await get("/assets/a-1b2c.js")).headers["content-type"]).toMatch(/^text\/javascript/);
    const wasm = await get("/assets/b-1b2c.wasm");
    expect(wasm.headers["content-type"]).toBe("application/wasm");
    expect(wasm.headers["cache-control"]).toContain("immutable");
    expect((await get("/assets/")).status).toBe(404);
  });
});

describe("files", () => {
  test("those of runs are listed, those of a damaged one too, and what belongs to nothing is not", async () => {
    const { folders, files, truncated } = await list();
    expect(folders).toEqual(["ru#ns 50% ä?"]);
    expect(truncated).toBe(false);
    const names = ["config.json", "final.safetensors", "metrics.jsonl", "result.json"];
    expect(files.map(({ path }) => path).sort()).toEqual(
      ["damaged", "ü &=+#1"]
        .flatMap((run) => names.map((name) => `ru#ns 50% ä?/${run}/${name}`))
        .sort(),
    );
    const found = await recognize({
      paths: files.map(({ path }) => path),
      read: async (path) => new Uint8Array((await get(encoded(path))).body),
    });
    expect(found.map(({ kind }) => kind)).toEqual(["run", "run"]);
    const [damaged, whole] = found;
    if (damaged?.kind !== "run" || whole?.kind !== "run") throw new Error("no runs");
    await expect(damaged.read()).rejects.toThrow(
      "invalid file ru#ns 50% ä?/damaged/config.json: not JSON",
    );
    expect((await whole.read()).result?.final.step).toBe(30);
  });

  test("a piece of a file is what was asked for", async () => {
    const { files } = await list();
    const path = files.find(({ path }) => path.endsWith("ü &=+#1/metrics.jsonl"))?.path ?? "";
    const whole = await get(encoded(path));
    expect(whole.headers["content-type"]).toBe("application/octet-stream");
    expect(whole.headers["content-length"]).toBe(String(whole.body.length));
    const { length } = whole.body;
    for (const [from, to] of [
      [0, length],
      [10, 20],
      [length - 3, length],
      [5, 5],
    ] as const) {
      const { status, body } = await get(`${encoded(path)}?from=${from}&to=${to}`);
      expect(status).toBe(200);
      expect(body.equals(whole.body.subarray(from, to))).toBe(true);
    }
    for (const query of [
      "from=-1",
      "to=x",
      `to=${length + 1}`,
      "from=9&to=8",
      "from=1e1",
      "from=",
    ]) {
      const { status, text } = await get(`${encoded(path)}?${query}`);
      expect([query, status]).toEqual([query, 416]);
      expect(text).toBe(`invalid from or to (the file has ${length} bytes)\n`);
    }
  });

  test("no spelling of a path leads out of the folder", async () => {
    const own = encodeURIComponent("ru#ns 50% ä?");
    const out = [
      "../secret.jsonl",
      "..%2Fsecret.jsonl",
      "%2e%2e/secret.jsonl",
      "%2e%2e%2fsecret.jsonl",
    ];
    const spelled = [
      ...out,
      "..%5Csecret.jsonl",
      "..\\secret.jsonl",
      "....//secret.jsonl",
      "%252e%252e%252fsecret.jsonl",
      "..%c0%afsecret.jsonl",
      "damaged/../../secret.jsonl",
      "damaged/config.json%00.jsonl",
      "damaged/config.json%00",
      "damaged//config.json",
      "./damaged/config.json%2f..%2f..%2f..%2fsecret.jsonl",
      "link.jsonl",
      "folder/b.jsonl",
      "circle/damaged/config.json",
      ".secret.jsonl",
      ".git/a.csv",
      "secret.txt",
      "package.json",
      "DAMAGED/config.json",
      "%",
      "%ff",
    ].map((path) => `/files/${own}/${path}`);
    const absolute = [
      at("secret.jsonl"),
      "/etc/passwd",
      "C:\\Windows\\win.ini",
      "\\\\host\\share",
    ].flatMap((path) => [
      `/files/${path}`,
      `/files/${encodeURIComponent(path)}`,
      `/files//${path}`,
    ]);
    for (const path of [
      ...spelled,
      ...absolute,
      "/files/",
      "/files",
      "/files/list/x",
      "/../secret.jsonl",
    ]) {
      const { status, text } = await get(path);
      // What is no address at all is refused before it comes to paths.
      expect([path, status]).toEqual([path, path.includes("\\") ? 400 : 404]);
      expect(text).not.toContain(secret);
    }
  });

  test("nor does any path that chance makes of parts of these", async () => {
    const part = fc.oneof(
      fc.constantFrom(
        ..."..|.|%2e%2e|%2E.|%252e|/|%2f|\\|%5c|//|%00|secret.jsonl|link.jsonl|folder|damaged|config.json|etc|passwd|~|;|:|@".split(
          "|",
        ),
      ),
      fc.constant(encodeURIComponent("ru#ns 50% ä?")),
      fc.string({ maxLength: 4 }).map(encodeURIComponent),
    );
    const { files } = await list();
    const shown = new Set(files.map(({ path }) => path));
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 8 }),
        fc.constantFrom("/files/", "/", "/assets/"),
        async (parts, start) => {
          const { status, text } = await get(start + parts.join(""));
          expect(text).not.toContain(secret);
          expect(text).not.toContain("root:");
          expect([200, 400, 404]).toContain(status);
          const { pathname } = new URL(`http://x${start}${parts.join("")}`);
          if (status !== 200 || !pathname.startsWith("/files/")) return;
          // What is given is on the list, under a path that says the same.
          const path = decodeURIComponent(pathname.slice("/files/".length));
          expect(shown.has(path) || path === "list", path).toBe(true);
        },
      ),
      { numRuns: 400, seed: 16 },
    );
  });

  test("a link that takes a file's place afterwards is refused, and so is one in its path", async () => {
    const folder = at("swapped");
    mkdirSync(join(folder, "a"), { recursive: true });
    writeFileSync(join(folder, "a", "b.jsonl"), "{}\n");
    writeFileSync(join(folder, "c.jsonl"), "{}\n");
    const { lab, cookie } = await another({ folders: [folder] });
    const read = (path: string) => ask(path, { of: lab, headers: { cookie } });
    for (const path of ["/files/swapped/a/b.jsonl", "/files/swapped/c.jsonl"]) {
      expect((await read(path)).status).toBe(200);
    }
    rmSync(join(folder, "a"), { recursive: true });
    symlinkSync(at("elsewhere"), join(folder, "a"));
    rmSync(join(folder, "c.jsonl"));
    symlinkSync(at("secret.jsonl"), join(folder, "c.jsonl"));
    for (const path of ["/files/swapped/a/b.jsonl", "/files/swapped/c.jsonl"]) {
      expect((await read(path)).status).toBe(404);
    }
  });

  test("folders of one name have names of their own; more files than are looked at are said", async () => {
    for (const parent of ["one", "two"]) {
      mkdirSync(at(parent, "same"), { recursive: true });
      writeFileSync(at(parent, "same", `${parent}.csv`), "step,loss\n");
    }
    const folders = [at("one", "same"), at("two", "same"), at("one", "same")];
    const { lab, cookie } = await another({ folders });
    const { files, ...rest } = await list({ cookie }, lab);
    expect(rest).toMatchObject({ folders: ["same", "same-2"], truncated: false });
    expect(files.map(({ path }) => path)).toEqual(["same/one.csv", "same-2/two.csv"]);
    const few = await another({ folders: [at("one"), at("two")], most: 2 });
    expect(await list({ cookie: few.cookie }, few.lab)).toMatchObject({ truncated: true });
  });

  test("a study of 10,000 cells is listed in a second", async () => {
    const study = at("large");
    mkdirSync(join(study, "metrics"), { recursive: true });
    for (const name of ["study.json", "cells.jsonl", "rows.jsonl"])
      writeFileSync(join(study, name), "{}\n");
    for (let i = 0; i < 10_000; i++) writeFileSync(join(study, "metrics", `${i}.jsonl`), "{}\n");
    const { lab, cookie } = await another({ folders: [study] });
    const times = [];
    for (let i = 0; i < 5; i++) {
      const began = performance.now();
      expect((await list({ cookie }, lab)).files).toHaveLength(10_003);
      times.push(performance.now() - began);
    }
    expect(Math.min(...times)).toBeLessThan(1000);
  });
});

/** One event of a stream. */
interface Event {
  readonly id: string;
  readonly event: string;
  readonly data: { readonly path?: string; readonly from?: number; readonly to?: number };
}

/** Follow the events of a server until the test ends, or until `leave`. */
async function follow(of: LabServer, headers: Asking["headers"], query = "") {
  const asked = request({ host: "127.0.0.1", port: portOf(of), path: `/events${query}`, headers });
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  expect(response.headers["content-type"]).toBe("text/event-stream");
  const events: Event[] = [];
  let heartbeats = 0;
  let rest = "";
  response.setEncoding("utf8").on("data", (piece: string) => {
    const blocks = (rest + piece).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      if (block.startsWith(":")) heartbeats++;
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
      if (field("event") === "") continue;
      const data = JSON.parse(field("data")) as Event["data"];
      events.push({ id: field("id"), event: field("event"), data });
    }
  });
  response.on("error", () => {});
  const leave = () => void asked.destroy();
  onTestFinished(leave);
  return {
    events,
    leave,
    response,
    heartbeats: () => heartbeats,
    /** Wait until something holds. */
    async until(holds: () => boolean) {
      for (let i = 0; i < 400 && !holds(); i++) await sleep(25);
      expect(holds()).toBe(true);
    },
  };
}

describe("events", () => {
  test("rows of a sweep appear while it runs, each once", async () => {
    const folder = at("live");
    mkdirSync(folder);
    const { lab, cookie } = await another({ folders: [folder] });
    const before = await list({ cookie }, lab);
    expect(before.files).toEqual([]);
    const live = await follow(lab, { cookie }, `?since=${before.event}`);
    const study = {
      name: "s",
      fixed: { problem: "cosine" },
      axes: { rho: [1, 2, 3, 4] },
      steps: 50,
    };
    writeFileSync(at("s.json"), JSON.stringify({ ...study, seeds: 3 }));
    const args = ["sweep", at("s.json"), "--workers", "1", "--out", join(folder, "s")];
    const sweep = promisify(execFile)(process.execPath, [bin, ...args]);
    const parse = growingRows("rows.jsonl");
    const cells: string[] = [];
    let place = 0;
    let taken = 0;
    const takeRows = async () => {
      for (; taken < live.events.length; taken++) {
        const { event, data } = live.events[taken] as Event;
        if (data.path !== "live/s/rows.jsonl") continue;
        expect([event, data.from]).toEqual(["grown", place]);
        place = data.to ?? 0;
        const path = `${encoded(data.path)}?from=${data.from}&to=${data.to}`;
        const { body } = await ask(path, { of: lab, headers: { cookie } });
        cells.push(...parse(body).map(({ cell }) => cell));
      }
    };
    await live.until(() => live.events.some(({ data }) => data.path === "live/s/study.json"));
    await sweep;
    for (let i = 0; i < 200 && cells.length < 12; i++) {
      await takeRows();
      await sleep(25);
    }
    expect(cells).toHaveLength(12);
    expect(new Set(cells).size).toBe(12);
    const after = await list({ cookie }, lab);
    expect(after.files.find(({ path }) => path === "live/s/rows.jsonl")?.size).toBe(place);
  });

  test("growth, other content and loss are told apart", async () => {
    const folder = at("logs");
    mkdirSync(folder);
    for (const name of ["a.jsonl", "b.csv", "c.jsonl"]) writeFileSync(join(folder, name), "1\n");
    const { lab, cookie } = await another({ folders: [folder] });
    const live = await follow(lab, { cookie });
    const told = () =>
      live.events.map(({ event, data }) => [event, ...Object.values(data)].join(" "));
    const steps: [() => void, string][] = [
      [() => appendFileSync(join(folder, "a.jsonl"), "22\n"), "grown logs/a.jsonl 2 5"],
      [() => truncateSync(join(folder, "a.jsonl"), 2), "grown logs/a.jsonl 0 2"],
      // Loggers of CSV write all of it anew.
      [() => appendFileSync(join(folder, "b.csv"), "22\n"), "grown logs/b.csv 0 5"],
      [() => writeFileSync(join(folder, "d.jsonl"), "1\n"), "grown logs/d.jsonl 0 2"],
      [() => rmSync(join(folder, "c.jsonl")), "gone logs/c.jsonl"],
    ];
    for (const [i, [act, expected]] of steps.entries()) {
      act();
      await live.until(() => told().length > i);
      expect(told()).toEqual([...steps.slice(0, i).map(([, line]) => line), expected]);
    }
  });

  test("who comes back is told what happened meanwhile, once; or to list anew", async () => {
    const folder = at("back");
    mkdirSync(folder);
    writeFileSync(join(folder, "a.jsonl"), "1\n");
    const { lab, cookie } = await another({ folders: [folder] });
    const first = await follow(lab, { cookie });
    appendFileSync(join(folder, "a.jsonl"), "2\n");
    await first.until(() => first.events.length === 1);
    first.leave();
    appendFileSync(join(folder, "a.jsonl"), "3\n");
    await sleep(150);
    const { id = "" } = first.events[0] ?? {};
    const second = await follow(lab, { cookie, "last-event-id": id });
    await second.until(() => second.events.length > 0);
    await sleep(150);
    expect(second.events.map(({ data }) => data)).toEqual([
      { path: "back/a.jsonl", from: 4, to: 6 },
    ]);
    // One who saw nothing of it, and one who knows another server.
    const [session] = id.split("-");
    const third = await follow(
      lab,
      { cookie },
      `?since=${session}-${Number(id.split("-")[1]) - 1}`,
    );
    await third.until(() => third.events.length === 2);
    expect(third.events.map(({ data }) => data.from)).toEqual([2, 4]);
    for (const since of ["0000-1", `${session}-99`, "x", ""]) {
      const lost = await follow(lab, { cookie }, `?since=${since}`);
      await lost.until(() => lost.events.length === 1);
      expect(lost.events[0]?.event).toBe("anew");
      lost.leave();
    }
    for (let i = 0; i < 600; i++) writeFileSync(join(folder, `${i}.csv`), "step\n");
    await second.until(() => second.events.length > 1);
    // Files may be seen in two looks.
    expect(second.events.map(({ event }) => event)).toContain("anew");
  });

  test("nobody is looked after who has left", async () => {
    const tokens = createTokens();
    let followers = 0;
    const shown: Pick<Shown, "follow"> = {
      follow() {
        followers++;
        return () => followers--;
      },
    };
    const app = createApp({
      shown: shown as Shown,
      site: new Map(),
      tokens,
      version: "",
      signal: new AbortController().signal,
    });
    const headers = { host: "localhost", cookie: `lucid-lab-=${tokens.cookie}` };
    const reader = (await app.request("/events", { headers })).body?.getReader();
    await reader?.read();
    expect(followers).toBe(1);
    // It waits for changes by now.
    await sleep(50);
    await reader?.cancel();
    for (let i = 0; i < 100 && followers > 0; i++) await sleep(10);
    expect(followers).toBe(0);
  });

  test("there is a sign of life while nothing happens, and an end with the server", async () => {
    const { lab, cookie } = await another({ heartbeat: 40 });
    const live = await follow(lab, { cookie });
    await live.until(() => live.heartbeats() > 2);
    expect(live.events).toEqual([]);
    const ended = new Promise((done) => live.response.on("close", done));
    await lab.close();
    await ended;
    await expect(ask("/", { of: lab })).rejects.toThrow("ECONNREFUSED");
  });
});

test("what is no HTTP ends that connection alone", async () => {
  for (const line of [
    "GET /files/list\0 HTTP/1.1\r\n\r\n",
    "nonsense\r\n\r\n",
    "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
  ]) {
    const socket = connect(portOf(server), "127.0.0.1");
    socket.write(line);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 40[03] /);
  }
  expect((await get("/files/list")).status).toBe(200);
});

describe("the command", () => {
  test("says in one line what is wrong with what it was given", async () => {
    const file = at("secret.jsonl");
    for (const [args, line] of [
      [["--port", "0"], "invalid port: 0 (give a whole number from 1 to 65535)"],
      [["--port", "70000"], "invalid port: 70000 (give a whole number from 1 to 65535)"],
      [["--port", "x"], "invalid port: x (give a whole number from 1 to 65535)"],
      [[at("nowhere")], `missing folder ${at("nowhere")}: it does not exist`],
      [[file], `invalid folder ${file}: it is a file (give the folder that it lies in)`],
    ] as const) {
      const { code, out, err } = await lucid("lab", ...args);
      expect({ code, out, err }).toEqual({ code: 2, out: "", err: `${line}\n` });
    }
    const missing = startLab({ folders: [], site: async () => at("unbuilt") });
    await expect(missing).rejects.toThrow(
      `missing ${at("unbuilt")}: the pages of the lab are not built (npm run build -w lab)`,
    );
    const taken = startLab({ folders: [], site: async () => at("site"), port: portOf(server) });
    await expect(taken).rejects.toThrow(
      `invalid port: ${portOf(server)} (it is taken; choose another`,
    );
  });

  test("prints its address, and nothing else, and ends in good order", async () => {
    const script = join(import.meta.dirname, "lab-process.ts");
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const child = spawn(process.execPath, [
        "--conditions=source",
        script,
        at("site"),
        "{}",
        runs,
      ]);
      const [line] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
      expect(line).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}\n$/);
      const address = line.trim();
      const live = await fetch(address, { redirect: "manual" });
      expect(live.status).toBe(303);
      const cookie = live.headers.getSetCookie()[0]?.split(";", 1)[0] ?? "";
      // A page that follows does not keep it alive.
      const stream = await fetch(new URL("/events", address), { headers: { cookie } });
      expect(stream.status).toBe(200);
      const ended = once(child, "exit");
      child.kill(signal);
      expect(await ended).toEqual([0, null]);
      await stream.text().catch(() => "");
      await expect(fetch(address)).rejects.toThrow("fetch failed");
    }
  });

  test.skipIf(process.platform !== "linux")(
    "--open hands an address to the browser that works once",
    async () => {
      mkdirSync(at("bin"));
      const opener = `#!/bin/sh\necho "$1" > "${at("opened.tmp")}"; mv "${at("opened.tmp")}" "${at("opened")}"\n`;
      writeFileSync(at("bin", "xdg-open"), opener, { mode: 0o700 });
      const script = join(import.meta.dirname, "lab-process.ts");
      const args = ["--conditions=source", script, at("site"), `{"open":true}`];
      const PATH = `${at("bin")}:${process.env["PATH"]}`;
      const child = spawn(process.execPath, args, { env: { ...process.env, PATH } });
      const [printed] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
      for (let i = 0; i < 400 && !existsSync(at("opened")); i++) await sleep(25);
      const opened = readFileSync(at("opened"), "utf8").trim();
      expect(opened).not.toBe(printed.trim());
      for (const status of [303, 403]) {
        expect((await fetch(opened, { redirect: "manual" })).status).toBe(status);
      }
      const ended = once(child, "exit");
      child.kill("SIGINT");
      expect(await ended).toEqual([0, null]);
    },
  );
});
