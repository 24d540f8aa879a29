/** Tests call traced functions of the library also outside programs, so jax-js is there from the start. */
import { loadJax } from "../src/engine/jax-js.ts";

await loadJax();
