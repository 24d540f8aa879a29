/** The machine that code runs on. Each platform finds this out in its own way. */
export interface Machine {
  /** Version of this package. */
  readonly version: string;
  /** Commit of the checkout this package runs from; `null` for an installed package. */
  readonly commit: string | null;
  /** Whether that checkout has changes that are not committed. */
  readonly dirty: boolean | null;
  /** `node v24.21.0`, or the browser. */
  readonly runtime: string;
  /** Operating system and processor: `linux x64`. */
  readonly platform: string;
}
