/** Entries of data sets: what there is to know about one, and how its bytes are read. */
import type { z } from "zod";
import type { GraphSamples } from "./graphs.ts";
import type { ImageDataset } from "./images.ts";
import type { TokenSamples } from "./tokens.ts";

/** What data sets bring, by kind. Images are still to be made samples of; others are. */
export interface DatasetsOf {
  readonly images: ImageDataset;
  readonly tokens: TokenSamples;
  readonly graph: GraphSamples;
}

/** What a run asks of a data set. */
export interface DatasetRequest<Options = Readonly<Record<string, unknown>>> {
  /** Training samples that will be used; there may be more. Infinity where the data set itself decides. */
  readonly n: number;
  /** The data set's own options, with defaults filled in. */
  readonly options: Options;
  /** Content of the files that `paths` of the entry names. */
  readonly own?: Readonly<Record<string, Uint8Array>> | undefined;
  /** Told now and then while images are drawn: how many there are, and will be. */
  readonly onDrawn?: ((images: number, of: number) => void) | undefined;
}

/** How files are verified whose records lie in another order than the official one. */
export interface FileRecords<File extends string = string> {
  /** Bytes per record. */
  readonly bytes: number;
  /**
   * SHA-256 of the sorted SHA-256s of a file's records, both in hexadecimal: the same for every
   * order. A file `train.bin` with one may also lie there as `train_1.bin`, `train_2.bin`, …
   */
  readonly contents: Readonly<Partial<Record<File, string>>>;
}

/** A gzipped tar archive. */
export interface DataArchive {
  readonly name: string;
  /** SHA-256 of the archive as it is served. */
  readonly sha256: string;
  /** The folder that unpacking it by hand makes. */
  readonly folder: string;
}

/** A data set as it is listed, found by name, downloaded and read. */
export interface DatasetEntry<
  Options extends z.ZodObject = z.ZodObject,
  File extends string = string,
  Kind extends keyof DatasetsOf = keyof DatasetsOf,
> {
  readonly name: string;
  /** One sentence. */
  readonly title: string;
  /** What its samples are: decides which problems can learn them. */
  readonly kind: Kind;
  /** Options of this data set alone, with defaults and descriptions. */
  readonly options: Options;
  /** Numbers per sample: pixels of an image, tokens of a sequence, features of a node. */
  pixels(options: z.output<Options>): number;
  /** Whether images stay bytes until a pass reads them, which color and large data sets should; default false. */
  readonly bytes?: boolean | undefined;
  /** Number of classes; default 10. */
  classes?(options: z.output<Options>): number;
  /** Number of training samples, where the data set's own options decide it. */
  count?(options: z.output<Options>): number;
  /** SHA-256 of every file, unpacked; `{}` for data that are drawn instead. */
  readonly files: Readonly<Record<File, string>>;
  /** Where files consist of records of equal length. */
  readonly records?: FileRecords<File> | undefined;
  /** The archive that brings all files at once, where they are not served one by one. */
  readonly archive?: DataArchive | undefined;
  /** Addresses of folders that hold the archive, or the files, gzipped, as NAME.gz; tried in order. */
  readonly mirrors: readonly string[];
  /** Size of all downloads together, in megabytes. */
  readonly megabytes?: number | undefined;
  /**
   * Paths of files of the user's own, by name: `read` is given their content as it is, as `own`.
   *
   * @throws {InputError} where the options name none.
   */
  paths?(options: z.output<Options>): Readonly<Record<string, string>>;
  /**
   * The data set from its files, unpacked and verified.
   *
   * @throws {InputError} naming the file that is not what it should be, or the option.
   */
  read(
    files: Readonly<Record<File, Uint8Array>>,
    request: DatasetRequest<z.output<Options>>,
  ): DatasetsOf[Kind];
}

/** An entry, checked: `read` agrees with `kind`, `files` and `options`. */
export const datasetEntry = <
  Options extends z.ZodObject,
  File extends string,
  Kind extends keyof DatasetsOf,
>(
  entry: DatasetEntry<Options, File, Kind>,
): DatasetEntry<Options, File, Kind> => entry;

/** Whether a data set is made as it is asked for, instead of found or downloaded. */
export const isDrawn = ({ files }: DatasetEntry): boolean => Object.keys(files).length === 0;

/** Brings a data set by name, of images unless another kind is said: from a generator, files, the network. */
export type DatasetLoader = <Kind extends keyof DatasetsOf = "images">(
  name: string,
  request: DatasetRequest & {
    readonly kind?: Kind | undefined;
    readonly signal?: AbortSignal | undefined;
  },
) => Promise<DatasetsOf[Kind]>;
