/**
 * Execution plans: every operator runs once, outside the loop (what no step changes), in the
 * loop's body, or in a branch (what only one side of a scalar choice needs).
 *
 * A `Select` chooses between two arrays by a scalar. Selects on one predicate become one `If`,
 * and what only one side uses sinks into that side, so that an untaken branch costs nothing.
 * Selects with nothing worth skipping stay elementwise `Where`s.
 */
import type { Graph, Node } from "../graph/graph.ts";
import { topological } from "../graph/graph.ts";
import { product } from "../graph/shapes.ts";

/** A stretch of operators that runs as one ONNX graph. */
export interface Region {
  readonly parent: Region | undefined;
  readonly depth: number;
  /** In executable order. */
  readonly units: Unit[];
}

/** One `If`: all selects on one predicate that can be decided at one place. */
export interface Branches {
  readonly predicate: Node;
  readonly selects: Node[];
  readonly region: Region;
  readonly whenTrue: Region;
  readonly whenFalse: Region;
}

export type Unit = Node | Branches;

export const isBranches = (unit: Unit): unit is Branches => "selects" in unit;

/** A step placed into its loop. */
export interface Plan {
  readonly outer: Region;
  readonly body: Region;
  /** The results, in the order given; equal to those given but for simplified choices. */
  readonly roots: readonly Node[];
}

/** An `If` costs about as much as elementwise work on this many elements. */
const branchWorth = 1 << 15;

const heavy = new Set(["MatMul", "FusedMatMul", "Gemm", "Conv", "ConvTranspose"]);

export function planExecution(graph: Graph, given: readonly Node[]): Plan {
  let roots = resolveKnownChoices(graph, given);
  for (;;) {
    const placed = place(roots);
    const idle = placed.branches.filter((branches) => cost(branches) < branchWorth);
    if (idle.length === 0) return { outer: placed.outer, body: placed.body, roots };
    const flat = new Set(idle.flatMap(({ selects }) => selects));
    roots = rebuild(graph, roots, (node, inputs) =>
      flat.has(node) ? elementwiseChoice(graph, node, inputs) : undefined,
    );
  }
}

/** The select as a `Where`, which broadcasts by itself. */
function elementwiseChoice(graph: Graph, node: Node, [condition, ...sides]: readonly Node[]): Node {
  const narrow = sides.map((side) => (side.op === "Expand" ? side.inputs[0] : side));
  const wide = narrow.some(({ type }) => String(type.shape) === String(node.type.shape));
  const inputs = [condition as Node, ...(wide ? narrow : sides)];
  return graph.node("Where", inputs, {}, node.type);
}

/** Copies of `roots` in which `replace` has had its say on every node, inputs first. */
function rebuild(
  graph: Graph,
  roots: readonly Node[],
  replace: (node: Node, inputs: readonly Node[]) => Node | undefined,
): Node[] {
  const copies = new Map<Node, Node>();
  for (const node of topological(roots)) {
    const inputs = node.inputs.map((input) => copies.get(input) as Node);
    copies.set(
      node,
      replace(node, inputs) ?? graph.node(node.op, inputs, node.attributes, node.type),
    );
  }
  return roots.map((root) => copies.get(root) as Node);
}

/** Predicates and their values wherever a node's value is used. */
type Facts = ReadonlyMap<Node, boolean>;

/** Where a node is only used under a known predicate, its own choices by it are made. */
function resolveKnownChoices(graph: Graph, roots: readonly Node[]): Node[] {
  const order = topological(roots);
  const facts = new Map<Node, Facts>();
  const use = (node: Node, known: Facts) => {
    const before = facts.get(node) ?? known;
    const common =
      before === known ? known : new Map([...before].filter(([p, v]) => known.get(p) === v));
    facts.set(node, common);
  };
  for (const root of roots) use(root, new Map());
  for (const node of order.toReversed()) {
    const known = facts.get(node) as Facts;
    edges(node).forEach(([input, predicate, value]) =>
      use(input, predicate === undefined ? known : new Map(known).set(predicate, value)),
    );
  }
  const copies = new Map<Node, Node>();
  for (const node of order) {
    const inputs = edges(node).map(([input, predicate, value]) => {
      const known = facts.get(node) as Facts;
      let chosen = input;
      for (;;) {
        const [test, a, b] = chosen.inputs;
        if (chosen.op !== "Select") break;
        const side = test === predicate ? value : known.get(test);
        if (side === undefined) break;
        chosen = side ? a : b;
      }
      return copies.get(chosen) as Node;
    });
    copies.set(node, graph.node(node.op, inputs, node.attributes, node.type));
  }
  return roots.map((root) => copies.get(root) as Node);
}

/** Inputs of a node; those of a select with the predicate's value under which they are used. */
function edges(node: Node): [input: Node, predicate: Node | undefined, value: boolean][] {
  if (node.op !== "Select") return node.inputs.map((input) => [input, undefined, false]);
  const [predicate, a, b] = node.inputs;
  return [
    [predicate, undefined, false],
    [a, predicate, true],
    [b, predicate, false],
  ];
}

/** Selects grouped by predicate so that no group needs its own result. */
function groupSelects(order: readonly Node[]): Node[][] {
  const users = new Map<Node, Node[]>(order.map((node) => [node, []]));
  for (const node of order) for (const input of node.inputs) users.get(input)?.push(node);
  const groupOf = new Map<Node, Node[]>();
  const reaches = (group: readonly Node[], target: Node): boolean => {
    const seen = new Set<Node>(group);
    const stack = [...group];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      for (const user of users.get(node) ?? []) {
        if (user === target) return true;
        for (const next of groupOf.get(user) ?? [user]) {
          if (seen.has(next)) continue;
          seen.add(next);
          stack.push(next);
        }
      }
    }
    return false;
  };
  const groups: Node[][] = [];
  for (const node of order) {
    if (node.op !== "Select") continue;
    const home = groups.find(
      (group) => group[0]?.inputs[0] === node.inputs[0] && !reaches(group, node),
    );
    const group = home ?? [];
    if (home === undefined) groups.push(group);
    group.push(node);
    groupOf.set(node, group);
  }
  return groups;
}

interface Placement {
  readonly outer: Region;
  readonly body: Region;
  readonly branches: Branches[];
}

/** Put every node into the deepest region that holds all its uses. */
function place(roots: readonly Node[]): Placement {
  const order = topological(roots);
  const outer = region(undefined);
  const body = region(outer);
  const groups = groupSelects(order);
  const groupOf = new Map(groups.flatMap((group) => group.map((select) => [select, group])));
  const members = (node: Node): readonly Node[] => groupOf.get(node) ?? [node];

  const changing = new Set<Node>();
  for (const node of order) {
    const isSource =
      node.op === "iteration" || (node.op === "argument" && node.attributes["part"] === "carry");
    if (isSource || node.inputs.some((input) => changing.has(input))) changing.add(node);
  }
  // Selects of one group run together: in the loop if one of them must.
  for (let grew = true; grew;) {
    grew = false;
    for (const node of order) {
      const now = members(node).some(
        (x) => changing.has(x) || x.inputs.some((i) => changing.has(i)),
      );
      if (now && !changing.has(node)) grew = Boolean(changing.add(node));
    }
  }

  // Users before what they use; a group when all users of all its selects are placed.
  const waiting = new Map<Node, number>();
  for (const node of order) {
    for (const input of node.inputs) waiting.set(input, (waiting.get(input) ?? 0) + 1);
  }
  const home = new Map<Node, Region>();
  const demand = (node: Node, where: Region) => {
    const before = home.get(node);
    home.set(node, before === undefined ? where : commonRegion(before, where));
  };
  for (const root of roots) demand(root, body);
  const branches: Branches[] = [];
  const placed = new Set<Node>();
  const ready = order.filter((node) => !waiting.has(node));
  const release = (node: Node, where: Region) => {
    demand(node, where);
    const left = (waiting.get(node) as number) - 1;
    waiting.set(node, left);
    if (left === 0) ready.push(node);
  };
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    const unit = members(node);
    if (placed.has(node) || unit.some((x) => (waiting.get(x) ?? 0) > 0)) continue;
    for (const x of unit) placed.add(x);
    const regions = unit.map((x) => home.get(x) as Region);
    const where = changing.has(node) ? regions.reduce(commonRegion) : outer;
    if (node.op !== "Select") {
      home.set(node, where);
      where.units.push(node);
      for (const input of node.inputs) release(input, where);
      continue;
    }
    const [whenTrue, whenFalse] = [region(where), region(where)];
    const choice: Branches = {
      predicate: node.inputs[0],
      selects: [...unit],
      region: where,
      whenTrue,
      whenFalse,
    };
    branches.push(choice);
    where.units.push(choice);
    for (const select of unit) {
      home.set(select, where);
      const [predicate, a, b] = select.inputs;
      release(predicate, where);
      release(a, whenTrue);
      release(b, whenFalse);
    }
  }
  for (const each of [outer, body, ...branches.flatMap((x) => [x.whenTrue, x.whenFalse])]) {
    each.units.reverse();
  }
  return { outer, body, branches };
}

const region = (parent: Region | undefined): Region => ({
  parent,
  depth: parent === undefined ? 0 : parent.depth + 1,
  units: [],
});

function commonRegion(a: Region, b: Region): Region {
  let [x, y] = [a, b];
  while (x !== y) {
    if (x.depth >= y.depth) x = x.parent as Region;
    else y = y.parent as Region;
  }
  return x;
}

/** Elements computed in the branches: what taking only one of them can save. */
function cost(branches: Branches): number {
  const ofRegion = ({ units }: Region): number =>
    units.reduce((sum, unit) => {
      if (isBranches(unit)) return sum + cost(unit);
      if (unit.op === "constant" || unit.op === "argument") return sum;
      return sum + (heavy.has(unit.op) ? branchWorth : product(unit.type.shape));
    }, 0);
  return ofRegion(branches.whenTrue) + ofRegion(branches.whenFalse);
}
