/** The built site as tests of pages open it: below a path of some host, without headers, in Chromium. */
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import axe from "axe-core";
import { chromium as playwright, type Browser, type Page } from "playwright";
import { afterAll, afterEach, beforeAll, expect, inject } from "vitest";
import { launchOptions } from "./chromium.ts";

/** Where the site lies on its host. */
const path = "/some/where/";

const types: { readonly [extension: string]: string } = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
};

/** How a browser without a graphics card remarks that a picture was copied out of its shader. */
export const isDriverRemark = (text: string) =>
  text.includes("GL Driver Message (OpenGL, Performance");

/** A site of which pages are opened; every test fails where one complains. */
export interface Site {
  readonly folder: string;
  /** Files that pages have asked for since the test began, by name. */
  readonly asked: () => readonly string[];
  /** Take no offense at complaints that a test means to bring about. */
  readonly forgive: (complaint: RegExp) => void;
  /** Open an address and wait until nothing more loads. */
  readonly open: (
    hash: string,
    options?: Parameters<Browser["newPage"]>[0],
    prepare?: (page: Page) => Promise<void>,
  ) => Promise<Page>;
}

/** Serve the site for the tests of a file. */
export function useSite(): Site {
  const folder = inject("site");
  let server: Server;
  let browser: Browser;
  let origin = "";
  let asked: string[] = [];
  /** What pages complained of: errors, warnings, requests elsewhere. */
  let complaints: string[] = [];
  let forgiven: RegExp[] = [];
  const pages: Page[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? "", "http://localhost");
      const name = pathname.slice(path.length) || "index.html";
      asked.push(pathname.startsWith(path) ? name : pathname);
      readFile(join(folder, name)).then(
        (bytes) => {
          response.setHeader("content-type", types[extname(name)] ?? "application/octet-stream");
          response.end(bytes);
        },
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await playwright.launch(launchOptions);
  });

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  afterEach(async () => {
    for (const page of pages.splice(0)) await page.close();
    const heard = complaints.filter((text) => !forgiven.some((pattern) => pattern.test(text)));
    complaints = [];
    forgiven = [];
    asked = [];
    expect(heard).toEqual([]);
  });

  return {
    folder,
    asked: () => asked,
    forgive: (complaint) => forgiven.push(complaint),
    async open(hash, options = {}, prepare) {
      const page = await browser.newPage(options);
      pages.push(page);
      page.on("console", (message) => {
        if (!["error", "warning"].includes(message.type())) return;
        if (!isDriverRemark(message.text())) complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("request", (request) => {
        if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(origin + path)) {
          complaints.push(request.url());
        }
      });
      await prepare?.(page);
      await page.goto(`${origin}${path}${hash}`, { waitUntil: "networkidle" });
      return page;
    },
  };
}

/** What axe finds wrong with a page. */
export async function violationsOn(page: Page): Promise<string[]> {
  const { violations } = (await page.evaluate(`${axe.source}; axe.run()`)) as {
    readonly violations: readonly {
      readonly id: string;
      readonly help: string;
      readonly nodes: readonly { readonly html: string }[];
    }[];
  };
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0]?.html ?? ""}`);
}
