/** The memory limit: what this process may use. */
import { totalmem } from "node:os";

/** In bytes: that of the machine, or of the container. */
export function memoryLimit(): number {
  // 0, or an astronomic number, where nothing but the machine limits it.
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
