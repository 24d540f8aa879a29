/** Convolutions and their gradients in ONNX operators. */
import type { Attributes, Node, ValueType } from "./graph.ts";
import type { Operators } from "./operators.ts";

/** A `convolve` node of these attributes and type, on lowered inputs. */
export function convolve(
  l: Operators,
  x: Node,
  kernel: Node,
  attributes: Attributes,
  type: ValueType,
): Node {
  const strides = attributes["strides"] as number[];
  const dilations = attributes["rhsDilation"] as number[];
  const pads = [...(attributes["low"] as number[]), ...(attributes["high"] as number[])];
  return l.op("Conv", [x, kernel], { strides, dilations, pads }, type.dtype, type.shape);
}
