/** The registry of problems: every one by name. */
import type { z } from "zod";
import { unknownName } from "../engine/errors.ts";
import { describeOptions, type OptionDescription } from "../settings/fields.ts";
import { datasets } from "./datasets/registry.ts";
import type { ProblemEntry } from "./entry.ts";
import { cnnEntry } from "./networks/cnn.ts";
import { gcnEntry } from "./networks/gcn.ts";
import { gptEntry } from "./networks/gpt.ts";
import { mlpEntry } from "./networks/mlp.ts";
import { regressionEntry } from "./networks/regression.ts";
import { resnetEntry } from "./networks/resnet.ts";
import { vitEntry } from "./networks/vit.ts";
import { isProblemFile, problemFileEntry } from "./own.ts";
import { expressionEntry, planeEntries } from "./planes/index.ts";

const listed = [
  mlpEntry,
  ...planeEntries,
  expressionEntry,
  regressionEntry,
  cnnEntry,
  resnetEntry,
  vitEntry,
  gptEntry,
  gcnEntry,
] as const;

/** All problems: what runs train by default, planes, networks with samples of their own. */
export const problems: readonly ProblemEntry[] = listed;

/** Name of an option of some problem. */
export type ProblemOption = OptionName<(typeof listed)[number]["options"]>;
type OptionName<Options> = Options extends z.ZodObject<infer Shape> ? keyof Shape & string : never;

/**
 * The problem of a name or alias, or that of a file when the name is a path such as `./mine.ts`.
 *
 * @throws {InputError} `unknown problem "cosne" (did you mean "cosine"?)`
 */
export function findProblem(name: string): ProblemEntry {
  if (isProblemFile(name)) return problemFileEntry(name);
  const found = problems.find((problem) => namesOf(problem).includes(name));
  if (found) return found;
  throw unknownName("problem", name, problems.flatMap(namesOf));
}

const namesOf = ({ name, aliases = [] }: ProblemEntry): string[] => [name, ...aliases];

/** What a problem is, in one sentence that names the data it can learn. */
export function describeProblem({ title, data }: ProblemEntry): string {
  const names = datasets.filter(({ kind }) => kind === data).map(({ name }) => name);
  if (names.length === 0) return title;
  const list = [names.slice(0, -1).join(", "), ...names.slice(-1)].filter((part) => part !== "");
  return title.replace(/\.$/, `, on --data ${list.join(" or ")}.`);
}

/** The options of a problem, for lists and documentation. */
export const problemOptions = ({ options }: ProblemEntry): OptionDescription[] =>
  describeOptions(options);
