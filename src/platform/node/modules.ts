/** Modules that users write, such as study files: they import this library by its name. */
import { registerHooks } from "node:module";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";

let registered = false;

/**
 * Load a module of a user. Wherever it lies, `lucid-sam` and its entry points are in it the library
 * that loads it: installed elsewhere, or a clone that nobody has built.
 */
export async function loadModule(path: string): Promise<object> {
  if (!registered) {
    registered = true;
    const here = import.meta.url;
    const source = extname(here) === ".ts" ? ["source"] : [];
    registerHooks({
      resolve(specifier, context, next) {
        if (!/^lucid-sam($|\/)/.test(specifier)) return next(specifier, context);
        const conditions = [...source, ...context.conditions];
        return next(specifier, { ...context, conditions, parentURL: here });
      },
    });
  }
  return (await import(pathToFileURL(resolve(path)).href)) as object;
}
