import { expect, test } from "vitest";
import type { InputError } from "../../engine/errors.ts";
import { compileTraining } from "../../sam/training/training.ts";
import { sam } from "../../sam/methods/sam.ts";
import { sgd } from "../../sam/parts/outer.ts";
import { gcn } from "../networks/gcn.ts";
import { blockModel, citations, citationsEntry, karate, type GraphSamples } from "./graphs.ts";

/** How many edges each node has. */
function degrees({ edges, train }: GraphSamples): number[] {
  const counts = Array<number>(train.size).fill(0);
  for (const node of edges.flat()) counts[node] = (counts[node] ?? NaN) + 1;
  return counts;
}

test("the karate club is Zachary's", () => {
  const club = karate();
  const ends = club.edges.map((edge) => edge.toSorted((a, b) => a - b).join(" "));
  expect(ends.length).toBe(78);
  expect(new Set(ends).size).toBe(78);
  // As NetworkX 3.6 has the graph: degrees and factions of the 34 members.
  expect(degrees(club)).toEqual([
    16, 9, 10, 6, 3, 4, 4, 4, 5, 2, 3, 1, 2, 5, 2, 2, 2, 2, 2, 3, 2, 2, 2, 5, 3, 3, 2, 4, 3, 4, 4,
    6, 12, 17,
  ]);
  expect(Array.from(club.train.batch.y.data).join("")).toBe("0000000001000011001010111111111111");
  // Σ i·(34 a + b) over the edges (a, b), a < b, in order.
  const sorted = club.edges.map((edge) => edge.toSorted((a, b) => a - b));
  const places = sorted.map(([a = NaN, b = NaN]) => 34 * a + b).toSorted((a, b) => a - b);
  expect(places.reduce((sum, place, i) => sum + (i + 1) * place, 0)).toBe(1_877_628);
  expect(club.classes).toBe(2);
});

test("what is known and what is asked for share the nodes; their weights make means", () => {
  for (const { train, test: asked } of [karate(), blockModel({ nodes: 30, communities: 3 })]) {
    const [known, others] = [train, asked].map(({ batch }) => Array.from(batch.weight.data));
    known?.forEach((weight, node) => expect(weight > 0).toBe(others?.[node] === 0));
    for (const weights of [known, others]) {
      expect(weights?.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(train.size, 10);
    }
  }
  const { weight } = karate().train.batch;
  expect(Array.from(weight.data).flatMap((value, node) => (value > 0 ? [node] : []))).toEqual([
    0, 33,
  ]);
});

test("a block model has as many edges as its chances say, and the same ones for the same seed", () => {
  const options = { nodes: 300, inside: 0.2, between: 0.05, dataSeed: 2 };
  const graph = blockModel(options);
  const inside = graph.edges.filter(([a, b]) => a % 2 === b % 2).length;
  const pairs = 2 * ((150 * 149) / 2);
  // Within four standard deviations.
  const near = (found: number, of: number, chance: number) =>
    expect(Math.abs(found - of * chance)).toBeLessThan(4 * Math.sqrt(of * chance * (1 - chance)));
  near(inside, pairs, 0.2);
  near(graph.edges.length - inside, 150 * 150, 0.05);
  expect(blockModel(options).edges).toEqual(graph.edges);
  expect(blockModel({ ...options, dataSeed: 3 }).edges).not.toEqual(graph.edges);
});

const content = ["31 1 0 1 Theory", "7 0 1 0 Agents", "8 0 0 0 Theory", "9 1 1 1 Agents"].join(
  "\n",
);
// Both directions of one link, one to itself, one to a paper without content.
const cites = "31 7\n7 31\n8 8\n9 1000\n8\t9\n";

test("citation graphs are read from the two files in which they are published", () => {
  const graph = citations(content, cites, { labelled: 1 });
  expect(graph.edges.map((edge) => [...edge])).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(graph.classes).toBe(2);
  expect(Array.from(graph.train.batch.y.data)).toEqual([1, 0, 1, 0]);
  expect(Array.from(graph.train.batch.x.data)).toEqual([
    0.5,
    0,
    0.5,
    0,
    1,
    0,
    0,
    0,
    0,
    1 / 3,
    1 / 3,
    1 / 3,
  ]);
  const known = Array.from(graph.train.batch.weight.data).filter((weight) => weight > 0);
  expect(known).toEqual([2, 2]);
  expect(() => citations(`${content}\n10 1 Theory`, cites, {}, "cora.content")).toThrow(
    /^invalid file cora\.content: line 5 \(give a paper/,
  );
  expect(() => citations(content, cites, {}, "cora.content")).toThrow(
    /^invalid file cora\.content: 4 papers of 2 classes, 4 known/,
  );
  const paths = (file?: string) => citationsEntry.paths?.({ file, labelled: 20, dataSeed: 0 });
  expect(paths("data/cora.content")).toEqual({
    content: "data/cora.content",
    cites: "data/cora.cites",
  });
  expect(() => paths("cora.cites")).toThrow(/^invalid file: cora\.cites/);
  expect(() => paths()).toThrow(/^missing file/);
});

test("what no network on a graph can be made of is refused", async () => {
  expect(() => blockModel({ nodes: 4 })).toThrow(/^invalid labelled: 2 in each of 2 communities/);
  expect(() => gcn({ ...karate(), edges: [[0, 34]] })).toThrow(
    "invalid edges: node 34 of 34 (give 0 to 33)",
  );
  expect(() => gcn({ ...karate(), hidden: [0] })).toThrow(/^invalid hidden: 0/);
  expect(() => gcn({ ...karate(), classes: 1 })).toThrow(/^invalid train\/y: label 1/);
  const training = compileTraining({
    problem: gcn(karate()),
    method: sam({ rho: 0.1, outer: sgd({ learningRate: 0.1 }) }),
    batchSize: 10,
  });
  await expect(training).rejects.toThrow(
    expect.objectContaining({
      message: `invalid batch: 10 of 34 nodes (give "full": a node's neighbors are needed, too)`,
    }) as InputError,
  );
});
