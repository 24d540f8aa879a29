/** The cache folder, where downloaded data live between runs. */
import envPaths from "env-paths";

/** The cache folder, not necessarily made yet: `LUCID_CACHE`, or the system's place for caches. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return environment["LUCID_CACHE"] || envPaths("lucid-sam", { suffix: "" }).cache;
}
