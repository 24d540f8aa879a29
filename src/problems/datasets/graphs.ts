/** Graphs: nodes with classes of which a few are known, and the edges between them. */
import { z } from "zod";
import { InputError } from "../../engine/errors.ts";
import { randomStream } from "../../engine/random.ts";
import { tensor, type Tensor } from "../../engine/tensor.ts";
import { number, shownAs } from "../../settings/fields.ts";
import type { Split } from "../problem.ts";
import { datasetEntry } from "./entry.ts";

/** All nodes of a graph, with the weights of those that count. */
export interface NodeSplit extends Split {
  readonly batch: {
    /** float64 [nodes, features]. */
    x: Tensor;
    /** int32 [nodes]: classes of all nodes. */
    y: Tensor;
    /** float64 [nodes]: nodes/k for each of the k nodes that count, else 0, so that means over all nodes are means over those. */
    weight: Tensor;
  };
}

/** Samples of a problem on a graph: its nodes. */
export interface GraphSamples {
  readonly kind: "graph";
  /** Counts the nodes whose classes are known. */
  readonly train: NodeSplit;
  /** Counts all others. */
  readonly test: NodeSplit;
  /** Pairs of nodes, each undirected edge once. */
  readonly edges: readonly (readonly [number, number])[];
  /** Classes are 0 … classes − 1. */
  readonly classes: number;
}

/** A graph before it is decided what of it is known. */
interface Graph {
  readonly edges: GraphSamples["edges"];
  /** Class of every node. */
  readonly labels: readonly number[];
  /** Rows of features; default: every node is told apart from all others, by the identity matrix. */
  readonly features?: readonly (readonly number[])[] | undefined;
}

/** Samples of a graph whose classes are known of some nodes, and asked of all others. */
function graphSamples(
  { edges, labels, features }: Graph,
  known: ReadonlySet<number>,
): GraphSamples {
  const nodes = labels.length;
  const width = features?.[0]?.length ?? nodes;
  const x = tensor(
    new Float64Array(nodes * width).map((_, i) => {
      const [node, column] = [Math.floor(i / width), i % width];
      return features?.[node]?.[column] ?? (node === column ? 1 : 0);
    }),
    [nodes, width],
    "float64",
  );
  const y = tensor([...labels], [nodes], "int32");
  const split = (counts: (node: number) => boolean): NodeSplit => {
    const chosen = labels.filter((_, node) => counts(node)).length;
    const weight = labels.map((_, node) => (counts(node) ? nodes / chosen : 0));
    return { size: nodes, batch: { x, y, weight: tensor(weight, [nodes], "float64") } };
  };
  return {
    kind: "graph",
    train: split((node) => known.has(node)),
    test: split((node) => !known.has(node)),
    edges,
    classes: Math.max(...labels) + 1,
  };
}

/** Friends of each member with a smaller number, members 2 to 34 (Zachary 1977, figure 3). */
const friends: readonly (readonly [member: number, ...friends: number[]])[] = [
  [2, 1],
  [3, 1, 2],
  [4, 1, 2, 3],
  [5, 1],
  [6, 1],
  [7, 1, 5, 6],
  [8, 1, 2, 3, 4],
  [9, 1, 3],
  [10, 3],
  [11, 1, 5, 6],
  [12, 1],
  [13, 1, 4],
  [14, 1, 2, 3, 4],
  [17, 6, 7],
  [18, 1, 2],
  [20, 1, 2],
  [22, 1, 2],
  [26, 24, 25],
  [28, 3, 24, 25],
  [29, 3],
  [30, 24, 27],
  [31, 2, 9],
  [32, 1, 25, 26, 29],
  [33, 3, 9, 15, 16, 19, 21, 23, 24, 30, 31, 32],
  [34, 9, 10, 14, 15, 16, 19, 20, 21, 23, 24, 27, 28, 29, 30, 31, 32, 33],
];

/** Members who went with the instructor, member 1, when the club split; all others with the officer, member 34. */
const withInstructor = new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 17, 18, 20, 22]);

/**
 * Zachary's karate club: 34 members, 78 friendships, the two clubs it became (Zachary 1977, "An
 * information flow model for conflict and fission in small groups"). Node i is member i + 1; class 0 is
 * the instructor's club. Known are the classes of the two leaders, nodes 0 and 33.
 */
export function karate(): GraphSamples {
  const edges = friends.flatMap(([member, ...known]) =>
    known.map((friend) => [friend - 1, member - 1] as const),
  );
  const labels = Array.from({ length: 34 }, (_, node) => (withInstructor.has(node + 1) ? 0 : 1));
  return graphSamples({ edges, labels }, new Set([0, 33]));
}

/** `karate` as it is listed. */
export const karateEntry = datasetEntry({
  name: "karate",
  title: "Zachary's karate club: 34 members, two known, who of the others went with whom.",
  kind: "graph",
  options: z.object({}),
  pixels: () => 34,
  classes: () => 2,
  count: () => 34,
  files: {},
  mirrors: [],
  read: karate,
});

/** What `blockModel` can be made with. */
export interface BlockModelOptions {
  /** Default 100. */
  readonly nodes?: number | undefined;
  /** Default 2. */
  readonly communities?: number | undefined;
  /** Chance of an edge between two nodes of one community; default 0.15. */
  readonly inside?: number | undefined;
  /** Chance of an edge between two nodes of different communities; default 0.02. */
  readonly between?: number | undefined;
  /** Nodes of every community whose class is known; default 2. */
  readonly labelled?: number | undefined;
  /** Default 0. */
  readonly dataSeed?: number | undefined;
}

/**
 * A graph of the stochastic block model (Holland, Laskey & Leinhardt 1983): node i is in community
 * i mod communities; every pair of nodes has an edge with a chance that depends on whether they share
 * theirs. Known are the first nodes of each.
 *
 * @throws {InputError} when no node is left to ask for.
 */
export function blockModel({
  nodes = 100,
  communities = 2,
  inside = 0.15,
  between = 0.02,
  labelled = 2,
  dataSeed = 0,
}: BlockModelOptions = {}): GraphSamples {
  if (communities * labelled >= nodes) {
    throw new InputError(
      `invalid labelled: ${labelled} in each of ${communities} communities of ${nodes} nodes (give fewer: some must be left to ask for)`,
    );
  }
  const labels = Array.from({ length: nodes }, (_, node) => node % communities);
  const random = randomStream(dataSeed, "block model");
  const edges: [number, number][] = [];
  for (let a = 0; a < nodes; a++) {
    for (let b = a + 1; b < nodes; b++) {
      const chance = labels[a] === labels[b] ? inside : between;
      if (random.uniform() < chance) edges.push([a, b]);
    }
  }
  const known = Array.from({ length: communities * labelled }, (_, node) => node);
  return graphSamples({ edges, labels }, new Set(known));
}

const whole = { min: 1, integer: true } as const;
const chance = { min: 0, max: 1 } as const;
const dataSeed = shownAs(
  "number",
  number(0, "seed that decides about edges, or about which nodes are known", {
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    integer: true,
  }),
);

/** `block-model` as it is listed. */
export const blockModelEntry = datasetEntry({
  name: "block-model",
  title: "A random graph of communities, the stochastic block model.",
  kind: "graph",
  options: z.object({
    nodes: number(100, "nodes of the graph", { min: 2, max: 5000, integer: true }),
    communities: number(2, "communities of the graph", { min: 2, integer: true }),
    inside: shownAs("chance", number(0.15, "chance of an edge inside a community", chance)),
    between: shownAs("chance", number(0.02, "chance of an edge between communities", chance)),
    labelled: number(2, "nodes of every community whose class is known", whole),
    dataSeed,
  }),
  pixels: ({ nodes }) => nodes,
  classes: ({ communities }) => communities,
  count: ({ nodes }) => nodes,
  files: {},
  mirrors: [],
  read: (_, { options }) => blockModel(options),
});

/** How much of a citation graph is known. */
export interface CitationOptions {
  /** Papers of every class whose class is known; default 20. */
  readonly labelled?: number | undefined;
  /** Seed that chooses them; default 0. */
  readonly dataSeed?: number | undefined;
}

/**
 * A citation graph from the two texts in which Cora and Citeseer are published (Sen et al. 2008):
 * `content` has a line `paper word₁ … wordₖ class` for every paper, `cites` a line `cited citing` for
 * every link. Links become undirected edges; those to papers without content, of which Citeseer has
 * some, are left out. Words are divided by their number in the paper, classes numbered by their names.
 *
 * @param name what errors call the files.
 * @throws {InputError} naming the line that is not what it should be.
 */
export function citations(
  content: string,
  cites: string,
  { labelled = 20, dataSeed = 0 }: CitationOptions = {},
  name = "citations",
): GraphSamples {
  const lines = (text: string) =>
    text.split(/\r?\n/).flatMap((line, i) => {
      const fields = line.split(/\s+/).filter((field) => field !== "");
      return fields.length === 0 ? [] : [{ fields, line: i + 1 }];
    });
  const papers = lines(content).map(({ fields, line }, _, all) => {
    const width = all[0]?.fields.length ?? 0;
    const words = fields.slice(1, -1).map(Number);
    if (fields.length !== width || width < 3 || !words.every(Number.isFinite)) {
      throw new InputError(
        `invalid file ${name}: line ${line} (give a paper, its words as numbers, as many as in the first line, and its class)`,
      );
    }
    const total = words.reduce((sum, word) => sum + word, 0);
    return {
      id: fields[0] as string,
      features: words.map((word) => word / (total || 1)),
      topic: fields.at(-1) as string,
    };
  });
  const places = new Map(papers.map(({ id }, i) => [id, i]));
  const edges = new Map<string, readonly [number, number]>();
  for (const { fields } of lines(cites)) {
    const [a, b] = fields.map((id) => places.get(id)).sort((p = 0, q = 0) => p - q);
    if (a !== undefined && b !== undefined && a !== b) edges.set(`${a} ${b}`, [a, b]);
  }
  const topics = [...new Set(papers.map(({ topic }) => topic))].sort();
  const labels = papers.map(({ topic }) => topics.indexOf(topic));
  const left = topics.map(() => labelled);
  const known = new Set<number>();
  for (const paper of randomStream(dataSeed, "citations").permutation(papers.length)) {
    const topic = labels[paper] as number;
    if ((left[topic] as number) === 0) continue;
    left[topic] = (left[topic] as number) - 1;
    known.add(paper);
  }
  if (topics.length < 2 || known.size === papers.length) {
    throw new InputError(
      `invalid file ${name}: ${papers.length} papers of ${topics.length} classes, ${known.size} known (give two classes or more, and fewer labelled)`,
    );
  }
  const features = papers.map((paper) => paper.features);
  return graphSamples({ edges: [...edges.values()], labels, features }, known);
}

/** `citations` as it is listed. */
export const citationsEntry = datasetEntry({
  name: "citations",
  title: "A citation graph of your own, --file cora.content, with cora.cites beside it.",
  kind: "graph",
  options: z.object({
    file: shownAs(
      "FILE",
      z.string({ error: "give a path" }).optional().describe("file with the data"),
    ),
    labelled: number(20, "papers of every class whose class is known", whole),
    dataSeed,
  }),
  // As large as Cora and Citeseer are; the files are read later.
  pixels: () => 2500,
  classes: () => 7,
  count: () => 3000,
  files: {},
  mirrors: [],
  paths({ file }) {
    if (file === undefined || !file.endsWith(".content")) {
      throw new InputError(
        `${file === undefined ? "missing file" : `invalid file: ${file}`} (give --file cora.content, with cora.cites beside it)`,
      );
    }
    return { content: file, cites: file.replace(/content$/, "cites") };
  },
  read(_, { options, own }) {
    const text = (file: string) => new TextDecoder().decode(own?.[file]);
    return citations(text("content"), text("cites"), options, options.file);
  },
});
