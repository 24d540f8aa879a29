/** Motion: whether the reader asked for less of it. */
import { MediaQuery } from "svelte/reactivity";

const query = new MediaQuery("prefers-reduced-motion: reduce");

/** Whether things should change at once instead of moving, and nothing should play unasked. */
export const isMotionReduced = (): boolean => query.current;
