/** Entries of data sets: what there is to know about one, and how its bytes are read. */
import type { z } from "zod";
import type { ImageDataset } from "./images.ts";

/** What a run asks of a data set. */
export interface DatasetRequest<Options = Readonly<Record<string, unknown>>> {
  /** Training samples that will be used; there may be more. */
  readonly n: number;
  /** The data set's own options, with defaults filled in. */
  readonly options: Options;
  /** Told now and then while images are drawn: how many there are, and will be. */
  readonly onDrawn?: ((images: number, of: number) => void) | undefined;
}

/** A data set as it is listed, found by name, downloaded and read. */
export interface DatasetEntry<
  Options extends z.ZodObject = z.ZodObject,
  File extends string = string,
> {
  readonly name: string;
  /** One sentence. */
  readonly title: string;
  /** What its samples are: decides which problems can learn them. */
  readonly kind: "images";
  /** Options of this data set alone, with defaults and descriptions. */
  readonly options: Options;
  /** Numbers per image. */
  pixels(options: z.output<Options>): number;
  /** SHA-256 of every file, unpacked; `{}` for data that are drawn instead. */
  readonly files: Readonly<Record<File, string>>;
  /** Addresses of folders that hold the files, gzipped, as NAME.gz; tried in order. */
  readonly mirrors: readonly string[];
  /** Size of all downloads together, in megabytes. */
  readonly megabytes?: number | undefined;
  /**
   * The data set from its files, unpacked and verified.
   *
   * @throws {InputError} naming the file that is not what it should be, or the option.
   */
  read(
    files: Readonly<Record<File, Uint8Array>>,
    request: DatasetRequest<z.output<Options>>,
  ): ImageDataset;
}

/** An entry, checked: `read` agrees with `files` and `options`. */
export const datasetEntry = <Options extends z.ZodObject, File extends string>(
  entry: DatasetEntry<Options, File>,
): DatasetEntry<Options, File> => entry;

/** Whether a data set is drawn as it is asked for, instead of read from files. */
export const isDrawn = ({ files }: DatasetEntry): boolean => Object.keys(files).length === 0;

/** Brings a data set by name: from a generator, files, the network. */
export type DatasetLoader = (
  name: string,
  request: DatasetRequest & { readonly signal?: AbortSignal | undefined },
) => Promise<ImageDataset>;
