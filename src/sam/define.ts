/** Definitions of methods: one says all there is to know, and gives the function and the list's entry. */
import { z } from "zod";
import { InputError } from "../engine/errors.ts";
import {
  checkOptions,
  readValues,
  type Complete,
  type Fields,
  type FieldsOf,
} from "../settings/options.ts";
import type { Method, Outer } from "./contract/method.ts";
import { isOuter, sgd } from "./parts/outer.ts";

/** What is said about a method where it is listed and documented. */
export interface MethodListing {
  /** Its name on the command line and in files. */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly title: string;
  /** The rule in one line. */
  readonly formula: string;
  /** What is kept between steps besides the outer optimizer's state, in copies of the parameters. */
  readonly state: string;
  /** Gradient evaluations per step. */
  readonly evaluations: number | string;
  /** Whether the method can come to rest, or be held, where the true gradient does not vanish. */
  readonly hallucination: { readonly possible: "yes" | "no" | "conditional"; readonly why: string };
  readonly citation: string;
  /** Its names in other libraries, such as `{ "davda54/sam": "SAM" }`. */
  readonly elsewhere: { readonly [library: string]: string };
  /** Where we differ from public code on purpose. */
  readonly differences: readonly string[];
  /**
   * For methods made around another one: the name of the one they take by default. The setting
   * `of` names another; settings the wrapper does not know go to it.
   */
  readonly wraps?: string;
}

/** A method as it is listed, documented and created by name. */
export interface MethodEntry extends MethodListing {
  /** Settings with defaults and descriptions. */
  readonly options: z.ZodObject;
  /**
   * The method with settings that were checked. `inner` is the wrapped method, which a method that
   * `wraps` needs.
   */
  create(settings: object, outer: Outer, inner?: Method): Method;
}

/** The function that makes a method, with the entry that lists it. */
export interface DefinedMethod<Options> {
  (options?: Options): Method;
  readonly entry: MethodEntry;
}

/** The function that makes a method around others, which it must be given, with its entry. */
export interface DefinedWrapper<Options> {
  (options: Options): Method;
  readonly entry: MethodEntry;
}

/** What every method may be given besides its settings. */
export interface OuterOptions {
  /** How to move along the method's direction; plain SGD where it is left out. */
  readonly outer?: Outer | undefined;
}

/** A method: what it is, its settings with their only defaults, and how it is made of them. */
export interface MethodDefinition<Options extends OuterOptions> extends MethodListing {
  readonly options: FieldsOf<Omit<Options, "outer">>;
  /** The method, from options that were checked and filled in. */
  readonly build: (options: Complete<Options>) => Method;
}

/**
 * Define a method: `definition.options` are the settings of its entry in the list and the options
 * of the function that is returned, which besides takes schedules as functions of the step and the
 * outer optimizer. Both refuse what the fields do not allow.
 *
 * @example
 * export const signSam = defineMethod<SignSamOptions>({
 *   name: "sign-sam",
 *   // … what `lucid methods` says about it …
 *   options: { rho: schedule(0.01, "ρ, half the side of the cube") },
 *   build: ({ rho, outer }) => ascending({ name: "sign-sam", ascent: corner({ rho }), outer }),
 * });
 * signSam({ rho: 0.1, outer: sgd({ learningRate: 0.1 }) });
 */
export function defineMethod<Options extends OuterOptions>(
  definition: MethodDefinition<Options>,
): DefinedMethod<Options> {
  const { options, build, ...listing } = definition;
  const fields: Fields = options;
  const { name } = listing;
  const make = (values: object, outer: Outer) => build({ ...values, outer } as Complete<Options>);
  const create = (given: object = {}): Method => {
    const values = checkOptions(name, fields, given, ["outer"]);
    const { outer } = given as OuterOptions;
    return make(values, outer === undefined ? sgd() : checkOuter(name, outer));
  };
  return Object.assign(create, {
    entry: {
      ...listing,
      options: z.object(fields),
      create: (settings: object, outer: Outer) => make(readValues(fields, settings), outer),
    },
  });
}

/** The names of the options that are methods. */
type MethodNames<Options> = {
  [Name in keyof Options]-?: Options[Name] extends Method ? Name : never;
}[keyof Options];

/** A method around others: as a {@link MethodDefinition}, with where those come from. */
export interface WrapperDefinition<Options> extends MethodListing {
  readonly wraps: string;
  readonly options: FieldsOf<Omit<Options, MethodNames<Options>>>;
  /** The methods it is made around, from the one that the setting `of` names. */
  readonly around: { readonly [Name in MethodNames<Options>]: (inner: Method) => Method };
  /** The method, from options that were checked and filled in. */
  readonly build: (options: Complete<Options>) => Method;
}

/** Define a method around others, as {@link defineMethod} defines one that stands by itself. */
export function defineWrapper<Options extends object>(
  definition: WrapperDefinition<Options>,
): DefinedWrapper<Options> {
  const { options, around, build, ...listing } = definition;
  const fields: Fields = options;
  const { name } = listing;
  const methods = Object.entries<(inner: Method) => Method>(around);
  const names = methods.map(([part]) => part);
  const make = (values: object, of: object) => build({ ...values, ...of } as Complete<Options>);
  const create = (given: object): Method => {
    const values = checkOptions(name, fields, given, names);
    const parts = names.map(
      (part) => [part, checkMethod(name, part, Object(given)[part])] as const,
    );
    return make(values, Object.fromEntries(parts));
  };
  return Object.assign(create, {
    entry: {
      ...listing,
      options: z.object(fields),
      create(settings: object, _: Outer, inner?: Method): Method {
        const wrapped = checkMethod(name, "method", inner);
        const parts = methods.map(([part, from]) => [part, from(wrapped)] as const);
        return make(readValues(fields, settings), Object.fromEntries(parts));
      },
    },
  });
}

/** Why methods whose ascent has a fixed length can be held. */
export const fixedLength =
  "the ascent does not shrink with the gradient: from afar it can reach a critical point of f";

function checkOuter(owner: string, outer: unknown): Outer {
  if (isOuter(outer)) return outer;
  throw new InputError(`invalid outer of ${owner} (give an optimizer, such as sgd())`);
}

function checkMethod(owner: string, option: string, method: unknown): Method {
  if (isMethod(method)) return method;
  const what = method === undefined ? "missing" : "invalid";
  throw new InputError(`${what} ${option} of ${owner} (give a method, such as sam({ rho: 0.1 }))`);
}

const isMethod = (value: unknown): value is Method =>
  typeof value === "object" && value !== null && "step" in value && "outer" in value;
