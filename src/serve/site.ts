/** The built pages of the lab, as files to send. */
import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { getMimeType } from "hono/utils/mime";
import { InputError } from "../engine/errors.ts";

/** A file of the site. */
export interface SiteFile {
  readonly file: string;
  readonly type: string;
  /** Whether its name has a hash of its content in it. */
  readonly isImmutable: boolean;
}

/**
 * Files of a built site by their paths, which begin with `/`.
 *
 * @throws {InputError} when it is not built.
 */
export async function readSite(folder: string): Promise<ReadonlyMap<string, SiteFile>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = new Map<string, SiteFile>();
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const path = `/${relative(folder, file).replaceAll(sep, "/")}`;
    files.set(path, {
      file,
      type: getMimeType(path) ?? "application/octet-stream",
      isImmutable: path.startsWith("/assets/"),
    });
  }
  const index = files.get("/index.html");
  if (index === undefined) {
    throw new InputError(
      `missing ${folder}: the pages of the lab are not built (npm run build -w lab)`,
    );
  }
  return files.set("/", index);
}
