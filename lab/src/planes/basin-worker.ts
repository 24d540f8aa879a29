/** A worker of basin maps: computes its share, coarse to fine, until it is asked for another map. */
import { basinMap, type BasinMap, type BasinOptions } from "lucid-sam/diagnostics";
import { lineOf } from "../shared/line.ts";
import { runCode } from "./code.ts";

/** A map to compute. */
export interface BasinJob {
  readonly id: number;
  readonly options: BasinOptions;
}

/** What there is of it so far, or why there is no more. */
export type BasinNews =
  | { readonly id: number; readonly map: BasinMap; readonly done: boolean }
  | { readonly id: number; readonly error: string };

/** Milliseconds between news of one grid; a finer grid is always told. */
const pace = 80;

let latest = 0;

/** Lets messages in: another map makes this one needless. */
const letMessagesIn = () => new Promise<void>((done) => setTimeout(done));

async function compute({ id, options }: BasinJob): Promise<void> {
  latest = id;
  const loop = await runCode(options.code.javaScript);
  let told = -Infinity;
  let stride = 0;
  let last: BasinMap | undefined;
  for (const map of basinMap(options, () => loop)) {
    if (map.stride !== stride || performance.now() - told > pace) {
      postMessage({ id, map, done: false } satisfies BasinNews);
      told = performance.now();
      stride = map.stride;
    }
    last = map;
    await letMessagesIn();
    if (latest !== id) return;
  }
  if (last) postMessage({ id, map: last, done: true } satisfies BasinNews);
}

addEventListener("message", ({ data }: MessageEvent<BasinJob>) => {
  compute(data).catch((error: unknown) =>
    postMessage({ id: data.id, error: lineOf(error) } satisfies BasinNews),
  );
});
