/**
 * Engines by name, the one list of them. An engine's code is loaded when it first compiles, so
 * whoever needs the names alone pays for nothing else.
 */
import type { CompileOptions, Program, StepDefinition } from "./program.ts";

/** What every engine offers. */
type Compile = (definition: StepDefinition, options: CompileOptions) => Promise<Program>;

interface Engine {
  readonly load: () => Promise<Compile>;
  /** What to do where it does not work. */
  readonly remedy: string;
}

/** In order of preference. */
export const engines = {
  native: {
    load: async () => (await import("./native/index.ts")).compileNative,
    remedy: "install lucid-sam again, or npm ci in a clone; or use --engine jax",
  },
  jax: {
    load: async () => (await import("./jax.ts")).compileJax,
    remedy: "install lucid-sam again, or npm ci in a clone",
  },
} satisfies { readonly [name: string]: Engine };

/** What runs a program. */
export type EngineName = keyof typeof engines;

/** All engines, in order of preference. */
export const engineNames = Object.keys(engines) as readonly EngineName[];

/** `auto` prefers native, and falls back to jax where a step or the machine is not fit for it. */
export type EngineChoice = "auto" | EngineName;

/** What may be asked for. */
export const engineChoices: readonly EngineChoice[] = ["auto", ...engineNames];
