/**
 * Layouts: a pass over ONNX operators that decides how images and kernels lie in memory, and writes the gradients
 * of convolutions accordingly. Where the machine has blocked convolutions, values stay in blocks
 * from one convolution to the next (layout-rules.ts), kernels from one step to the next; only
 * what leaves for other operators is put back in rows.
 */
import { topological, useCounts, type Node } from "../graph/graph.ts";
import { Blocks } from "./blocks.ts";
import { kernelGradientGeometry, turn } from "./convolve.ts";
import { kernelGradientByConvolution, kernelGradientByProducts } from "./kernel-gradient.ts";
import { rules } from "./layout-rules.ts";
import type { Operators } from "./operators.ts";

/** What a model is written for. */
export interface Target {
  /** Channels per block of the run time's blocked convolutions; `undefined` where it has none. */
  readonly block?: number | undefined;
  /** Whether kernels' gradients are grouped convolutions, fast on CPUs, or matrix products. */
  readonly groupedConvolutions: boolean;
}

/** Operators of the ONNX standard and of `com.microsoft`, fast on any CPU: for exported models. */
export const portable: Target = { groupedConvolutions: true };

/** A leaf of the carry that stays in blocks inside the loop. */
export interface BlockedCarry {
  readonly path: string;
  /** The leaf as the loop takes it, computed from the leaf in rows. */
  readonly before: Node;
  /** The leaf in rows after the loop, computed from an argument named {@link blockedResult}. */
  readonly after: Node;
}

/** Name of the result that holds the carry leaf `carry/…` after the last step. */
export const resultName = (carryName: string): string => carryName.replace(/^carry/, "next");

/** Name of the loop's result `name` while it is in blocks. */
export const blockedResult = (name: string): string => `${name}/blocks`;

/** A step whose values have their order in memory. */
export interface LaidOut {
  /** The results in the order given; those of blocked carry in blocks. */
  readonly roots: readonly Node[];
  readonly blockedCarry: readonly BlockedCarry[];
}

/** Lay out everything that `roots` need. The first of them are the next carry, at `paths`. */
export function layOut(
  l: Operators,
  roots: readonly Node[],
  paths: readonly string[],
  target: Target,
): LaidOut {
  const order = topological(roots);
  if (!order.some(({ op }) => convolutions.has(op))) return { roots, blockedCarry: [] };
  // Carry that a step leaves in blocks comes in blocks; that may keep more of it in blocks.
  const uses = useCounts(order, roots);
  let kept: readonly string[] = [];
  for (;;) {
    const layout = new Layout(l, target, uses, new Set(kept));
    for (const node of order) layout.visit(node);
    const next = paths.filter((path, i) => layout.staysInBlocks(path, roots[i] as Node));
    if (next.length <= kept.length) return layout.finish(roots, paths);
    kept = next;
  }
}

/** Operators that are lowered from convolutions: see convolve.ts. */
const convolutions = new Set(["Conv", "InputGradient", "KernelGradient"]);

/** A value in an order other than by rows. */
export interface Blocked {
  /** `any`: all elements along one axis, in whatever order. */
  readonly layout: "images" | "kernels" | "any";
  readonly node: Node;
}

/** Values in rows, in blocks, or both. */
export class Layout {
  readonly l: Operators;
  readonly #target: Target;
  readonly #blocks: Blocks | undefined;
  readonly #uses: ReadonlyMap<Node, number>;
  /** Paths of carry that comes in blocks. */
  readonly #kept: ReadonlySet<string>;
  readonly #arguments = new Map<string, Node>();
  readonly #plain = new Map<Node, Node>();
  readonly #blocked = new Map<Node, Blocked>();

  constructor(
    l: Operators,
    target: Target,
    uses: ReadonlyMap<Node, number>,
    kept: ReadonlySet<string>,
  ) {
    this.l = l;
    this.#uses = uses;
    this.#target = target;
    this.#blocks = target.block === undefined ? undefined : new Blocks(l, target.block);
    this.#kept = kept;
  }

  /** Lay out a node, after its inputs. */
  visit(node: Node): void {
    if (node.op === "argument" && node.attributes["part"] === "carry") {
      const path = String(node.attributes["path"]);
      this.#arguments.set(path, node);
      if (this.#kept.has(path)) {
        this.#blocked.set(node, { layout: "kernels", node: this.#blockedArgument(node) });
        return;
      }
    }
    const blocks = this.#blocks;
    const result = blocks === undefined ? undefined : rules[node.op]?.(this, blocks, node);
    if (result === undefined) this.plain(node);
    else if ("layout" in result) this.#blocked.set(node, result);
    else this.#plain.set(node, result);
  }

  /** Whether only one other operator reads `x`, so that it may be part of that one. */
  isUsedOnce(x: Node): boolean {
    return this.#uses.get(x) === 1;
  }

  /** The value in blocks, if it is known so. */
  known(x: Node): Blocked | undefined {
    return this.#blocked.get(x);
  }

  /** The value in rows. */
  plain(x: Node): Node {
    const known = this.#plain.get(x);
    if (known !== undefined) return known;
    const made = this.#outOfBlocks(x) ?? this.#inRows(x);
    this.#plain.set(x, made);
    return made;
  }

  #outOfBlocks(x: Node): Node | undefined {
    const known = this.#blocked.get(x);
    // What is no float cannot be reordered, and is made again in rows.
    if (known === undefined || known.layout === "any" || x.type.dtype !== "float32") {
      return undefined;
    }
    const { layout, node } = known;
    return layout === "images"
      ? this.l.reshape(this.#need().fromImages(node), x.type.shape)
      : this.#need().fromKernels(node, x.type.shape);
  }

  /** The operator itself, on values in rows. */
  #inRows({ op, inputs, attributes, type }: Node): Node {
    const [x, y] = inputs.map((input) => this.plain(input)) as [Node, Node];
    if (op === "InputGradient") {
      return this.l.op("Conv", [x, turn(this.l, y)], attributes, type.dtype, type.shape);
    }
    if (op === "KernelGradient") {
      return this.#target.groupedConvolutions
        ? kernelGradientByConvolution(this.l, x, y, attributes, type)
        : kernelGradientByProducts(this.l, x, y, kernelGradientGeometry(y, attributes, type), type);
    }
    return this.l.graph.node(
      op,
      inputs.map((input) => this.plain(input)),
      attributes,
      type,
    );
  }

  /** The value as blocked images of shape [N, C, H, W]. */
  images(x: Node, shape: readonly number[] = x.type.shape): Node {
    const known = this.#blocked.get(x);
    if (known?.layout === "images") return this.l.reshape(known.node, shape);
    const node = this.#need().intoImages(this.l.reshape(this.plain(x), shape));
    if (known === undefined) this.#blocked.set(x, { layout: "images", node });
    return node;
  }

  /** The value as blocked kernels. */
  kernels(x: Node): Node {
    const known = this.#blocked.get(x);
    if (known?.layout === "kernels") return known.node;
    const node = this.#need().intoKernels(this.plain(x));
    if (known === undefined) this.#blocked.set(x, { layout: "kernels", node });
    return node;
  }

  #need(): Blocks {
    if (this.#blocks === undefined) throw new Error("no blocks in this layout");
    return this.#blocks;
  }

  /** Whether the next value of the carry at `path` is there in blocks. */
  staysInBlocks(path: string, next: Node): boolean {
    return this.#arguments.has(path) && this.#blocked.get(next)?.layout === "kernels";
  }

  finish(roots: readonly Node[], paths: readonly string[]): LaidOut {
    const blockedCarry: BlockedCarry[] = [];
    const results = roots.map((root, i) => {
      const path = paths[i];
      const argument = path === undefined ? undefined : this.#arguments.get(path);
      if (path === undefined || argument === undefined || !this.#kept.has(path)) {
        return this.plain(root);
      }
      const { type } = argument;
      const blocks = this.#need();
      const outside = this.#argument("outside", path, type.shape);
      const before = blocks.intoKernels(outside);
      const end = this.#argument("outside", blockedResult(resultName(path)), before.type.shape);
      blockedCarry.push({ path, before, after: blocks.fromKernels(end, type.shape) });
      return this.kernels(root);
    });
    return { roots: results, blockedCarry };
  }

  #argument(part: "carry" | "outside", path: string, shape: readonly number[]): Node {
    return this.l.graph.node("argument", [], { part, path }, { dtype: "float32", shape });
  }

  #blockedArgument({ type, attributes }: Node): Node {
    const { shape } = this.#need().intoKernels(this.#argument("outside", "", type.shape)).type;
    return this.#argument("carry", String(attributes["path"]), shape);
  }
}
