/** The unit of drawings: pixels grow with the page's letters, which large screens have larger. */
import { innerWidth } from "svelte/reactivity/window";

/** Pixels of the page per pixel of a drawing. */
export function unit(): number {
  // Read, so that what is drawn follows the window.
  void innerWidth.current;
  return parseFloat(getComputedStyle(document.documentElement).fontSize) / 16 || 1;
}
