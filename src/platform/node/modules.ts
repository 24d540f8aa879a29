/** Modules that users write, such as study files: they import this library by its name. */
import { access } from "node:fs/promises";
import { registerHooks } from "node:module";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { InputError, reasonOf } from "../../engine/errors.ts";
import { fileError } from "./files.ts";

let registered = false;

/**
 * What a module of a user exports by default. Wherever it lies, `lucid-sam` and its entry points are in it the library
 * that loads it: installed elsewhere, or a clone that nobody has built.
 *
 * @param what the file should be, in messages; `remedy` is an example of its default export, and
 *   `kinds` is all that its reader takes.
 * @throws {InputError} in one line, when the file is missing, no module, or exports nothing by default.
 */
export async function loadDefault(
  path: string,
  what: string,
  remedy: string,
  kinds: string,
): Promise<unknown> {
  await access(path).catch((error: unknown) => {
    throw fileError(error, "read", path);
  });
  if (!/^\.[cm]?[jt]s$/.test(extname(path))) {
    throw new InputError(`invalid file ${path}: not a ${what} (give a ${kinds})`);
  }
  const module = await load(path).catch((error: unknown) => {
    throw new InputError(`invalid file ${path}: cannot load it, ${reasonOf(error)}`, {
      cause: error,
    });
  });
  if ("default" in module) return module.default;
  throw new InputError(`invalid file ${path}: no default export (export default ${remedy})`);
}

async function load(path: string): Promise<object> {
  if (!registered) {
    registered = true;
    const here = import.meta.url;
    const source = extname(here) === ".ts" ? ["source"] : [];
    registerHooks({
      resolve(specifier, context, next) {
        if (/^lucid-sam($|\/)/.test(specifier)) {
          const conditions = [...source, ...context.conditions];
          return next(specifier, { ...context, conditions, parentURL: here });
        }
        const found = next(specifier, context);
        // `npm init` declares packages to be CommonJS, which has no `export`.
        return found.format === "commonjs-typescript"
          ? { ...found, format: "module-typescript" }
          : found;
      },
    });
  }
  return (await import(pathToFileURL(resolve(path)).href)) as object;
}
