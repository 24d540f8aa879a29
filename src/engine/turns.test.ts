import { expect, test } from "vitest";
import { inTurns } from "./turns.ts";

const after = (milliseconds: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, milliseconds);
  });

for (const pieces of [0, 1, 2, 3, 7, 40]) {
  for (const apart of [[], ["a"], ["a", "b", "c"]]) {
    test(`${pieces} pieces are done once each, by this thread and ${apart.length} others`, async () => {
      const done: number[] = [];
      const workers = new Set<string>();
      const results = await inTurns(pieces, "here", apart, async (worker, piece) => {
        done.push(piece);
        workers.add(worker);
        await after((piece % 3) * 2);
        return `piece ${piece}`;
      });
      expect(results).toEqual(Array.from({ length: pieces }, (_, i) => `piece ${i}`));
      expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: pieces }, (_, i) => i));
      if (pieces > 2 * apart.length) expect(workers).toEqual(new Set(["here", ...apart]));
    });
  }
}

test("this thread takes the first piece, and whoever is apart the next ones ahead of time", async () => {
  const order: string[] = [];
  await inTurns(3, "here", ["apart"], async (worker, piece) => {
    order.push(`${worker} ${piece}`);
    await after(1);
  });
  expect(order).toEqual(["here 0", "apart 1", "apart 2"]);
});

test("a piece that fails is not lost", async () => {
  const failing = inTurns(4, "here", ["apart"], async (_, piece) => {
    await after(1);
    if (piece === 2) throw new Error("no luck with piece 2");
  });
  await expect(failing).rejects.toThrow("no luck with piece 2");
});
