/** The line that an error has for the reader. */
export const lineOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
