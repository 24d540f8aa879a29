/** Traced steps as graphs: from a jaxpr to simplified nodes of its results. */
import { Builder } from "./builder.ts";
import { isFloat } from "./constants.ts";
import { idiomsIn } from "./idioms.ts";
import type { Node } from "./graph.ts";
import { translate } from "./primitives.ts";
import { simplify } from "./simplify.ts";
import type { TracedStep } from "../../trace.ts";

/**
 * The next carry and the record of a traced step, as nodes.
 *
 * @throws {UnsupportedError} when the step uses a primitive that has no meaning there.
 */
export async function graphOfStep(traced: TracedStep): Promise<Node[]> {
  const given = traced.flat.arguments;
  const dtypes = new Set(given.map(({ dtype }) => dtype).filter(isFloat));
  const builder = new Builder(simplify, await idiomsIn([...dtypes]));
  const constants = traced.constants.map(({ data, dtype, shape }) =>
    builder.constant(data ?? [], dtype, data === undefined ? [0] : shape),
  );
  // The step sees bytes as int32.
  const args = given.map(({ part, path, dtype, shape }) => {
    const argument = builder.argument(part, path, dtype, shape);
    return dtype === "uint8" ? builder.cast(argument, "int32") : argument;
  });
  return translate(builder, traced, [...constants, ...args]);
}
