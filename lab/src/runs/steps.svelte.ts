/** The steps that are looked at: at once on the page, soon in the address, which browsers let nobody write often. */
import { onDestroy } from "svelte";
import type { ViewProps } from "../view.ts";

type Steps = readonly [number, number];

const delay = 250;

/** Follows the address, and leads it; made while a component is. */
export function stepsOf(
  address: () => ViewProps<"runs">["address"],
  go: ViewProps<"runs">["go"],
): { readonly current: Steps | undefined; set(steps: Steps | undefined): void } {
  let moving = $state.raw<{ readonly steps: Steps | undefined }>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  onDestroy(() => clearTimeout(timer));
  const text = $derived(address().fields.stretch);
  const stored = $derived.by((): Steps | undefined => {
    const [a, b] = text.split(",").map(Number);
    return a === undefined || b === undefined ? undefined : [Math.min(a, b), Math.max(a, b)];
  });
  return {
    get current() {
      return moving ? moving.steps : stored;
    },
    set(steps) {
      moving = { steps };
      clearTimeout(timer);
      timer = setTimeout(() => {
        go({ fields: { stretch: steps?.join(",") ?? "" } }, { replace: true });
        moving = undefined;
      }, delay);
    },
  };
}
