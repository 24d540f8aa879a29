/** Arguments of the command line: options that several commands have, and values read from text. */
import { availableParallelism } from "node:os";
import { Option } from "@commander-js/extra-typings";
import { engineChoices, type EngineChoice } from "../../engine/engines.ts";
import { InputError, unknownName } from "../../engine/errors.ts";
import { checkThreads } from "../../engine/threads.ts";

/** An option that refuses the flag after it, or nothing, as its value. */
export function option(flags: string, description: string): Option {
  const made = new Option(flags, description);
  return made.argParser((value) => {
    if (value === "" || value.startsWith("--")) {
      throw new InputError(`missing value for ${made.long}`);
    }
    return value;
  });
}

/** An option that may be given several times, as `key=value`. */
export function pairsOption(flags: string, description: string): Option {
  const made = new Option(flags, description);
  return made.argParser((text, before: unknown) => {
    const at = text.indexOf("=");
    if (at < 1) {
      throw new InputError(`invalid ${made.long}: ${text} (give key=value)`);
    }
    const [key, value] = [text.slice(0, at), text.slice(at + 1)];
    if (value === "") throw new InputError(`missing value for ${made.long} ${key}`);
    return { ...(before as object | undefined), [key]: value };
  });
}

/** `--store`, where studies are kept if not in a folder. */
export const storeOption = () =>
  option("--store <url>", "a PostgreSQL database shared by many machines (default: DATABASE_URL)");

/** `--workers`, read by {@link chooseWorkers}. */
export const workersOption = () =>
  option("--workers <count>", "cells run at once, a thread each (default: one per core)");

/** `--engine`, read by {@link chooseEngine}. */
export const engineOption = () => option("--engine <name>", "auto, native or jax (default: auto)");

/** `--threads`, with the number that the command takes without it. */
export const threadsOption = (usual: number) =>
  option("--threads <count>", `threads of the native engine (default: ${usual})`);

/** The engine that `--engine` names. */
export function chooseEngine(name = "auto"): EngineChoice {
  const chosen = engineChoices.find((engine) => engine === name);
  if (chosen === undefined) throw unknownName("engine", name, engineChoices);
  return chosen;
}

/** How many threads `--workers` asks for. */
export function chooseWorkers(text: string | undefined): number {
  const workers = wholeNumber("workers", text) ?? availableParallelism();
  checkThreads("workers", workers);
  return workers;
}

/** A whole number of `least` or more, as text. */
export function wholeNumber(flag: string, text: string, least?: number): number;
export function wholeNumber(
  flag: string,
  text: string | undefined,
  least?: number,
): number | undefined;
export function wholeNumber(flag: string, text: string | undefined, least = 1): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new InputError(`invalid ${flag}: ${text} (give a whole number, ${least} or more)`);
}

/** A number of seconds, as text; default 10. */
export function seconds(flag: string, text = "10"): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new InputError(`invalid ${flag}: ${text} (give a number of seconds, 0 or more)`);
}
