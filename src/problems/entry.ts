/** Entries of problems: what there is to know about one, and its options as one schema. */
import type { z } from "zod";
import type { GraphSamples } from "./datasets/graphs.ts";
import type { ImageSamples } from "./datasets/images.ts";
import type { TokenSamples } from "./datasets/tokens.ts";
import type { FloatType, Problem } from "./problem.ts";

/** Samples that a problem takes from a data set, by the kind of data. */
export interface SamplesOf {
  readonly images: ImageSamples;
  readonly tokens: TokenSamples;
  readonly graph: GraphSamples;
  readonly none: undefined;
  /** What a file of one's own defines. */
  readonly file: Problem;
}

/** How many samples there are, and of what size, before any is there. */
export interface SamplesSize {
  readonly count: number;
  /** Numbers per sample. */
  readonly inputs: number;
  readonly classes: number;
}

/** What a run is made of: the memory it takes is estimated from this. */
export interface ProblemSize {
  /** Numbers in the parameters. */
  readonly parameters: number;
  /** Units per sample: numbers that the backward pass needs again. */
  readonly units: number;
  /** Default: those asked about. */
  readonly samples?: Pick<SamplesSize, "count" | "inputs"> | undefined;
}

/** What a run is given where it says nothing: fields of training whose default suits the problem. */
export interface TrainingDefaults {
  readonly lr?: number | undefined;
  readonly steps?: number | undefined;
  readonly dtype?: FloatType | undefined;
}

/** A problem as it is listed, documented and created by name. */
export interface ProblemEntry<
  Options extends z.ZodObject = z.ZodObject,
  Data extends keyof SamplesOf = keyof SamplesOf,
> {
  readonly name: string;
  readonly aliases?: readonly string[] | undefined;
  readonly kind: "network" | "plane";
  /** One sentence. */
  readonly title: string;
  /** The loss, or the model, in one line. */
  readonly formula?: string | undefined;
  /**
   * Options with defaults and descriptions: fields of a run, flags of the command line. A name that
   * another problem uses as well should mean the same.
   */
  readonly options: Options;
  /** The kind of data set it learns; `none` for problems that bring their own samples, `file` for what a file of one's own defines. */
  readonly data: Data;
  readonly defaults?: TrainingDefaults | undefined;
  /** What a summary calls it, after the data: `hidden 64`. `data` is what the run learns. */
  describe(options: z.output<Options>, data?: string): string;
  /**
   * How large it is, without making it: what a machine has no memory for is refused before any is
   * taken. Absent where it is small whatever the options.
   *
   * @param samples of the data set; of problems that bring their own, none.
   */
  memory?(options: z.output<Options>, samples: SamplesSize): ProblemSize;
  /** @throws {InputError} where options do not fit each other or the samples. */
  create(
    options: z.output<Options> & { readonly dtype: FloatType },
    samples: SamplesOf[Data],
  ): Problem;
}

/** An entry, checked: `create` and `describe` agree with `options` and `data`. */
export const problemEntry = <Options extends z.ZodObject, Data extends keyof SamplesOf>(
  entry: ProblemEntry<Options, Data>,
): ProblemEntry<Options, Data> => entry;
