import { expect, test } from "vitest";
import { gpt } from "../networks/gpt.ts";
import { modular } from "./modular.ts";
import { textEntry, textSamples } from "./text.ts";
import type { TokenSplit } from "./tokens.ts";

const rows = ({ data, shape }: TokenSplit["batch"]["x"]) =>
  Array.from({ length: shape[0] as number }, (_, i) =>
    Array.from(data.subarray(i * (shape[1] as number), (i + 1) * (shape[1] as number))),
  );

test("modular addition has every pair once, with its sum, in parts that the seed chooses", () => {
  const p = 7;
  const { train, test, vocabulary } = modular({ p, fraction: 0.3, dataSeed: 4 });
  expect(vocabulary).toBe(p + 1);
  expect(train.size).toBe(15);
  const splits = [train, ...(test ? [test] : [])];
  expect(splits.length).toBe(2);
  const seen = splits.flatMap(({ batch }) => {
    const answers = rows(batch.y);
    return rows(batch.x).map(([a = NaN, b = NaN, equals], i) => {
      expect(equals).toBe(p);
      expect(answers[i]).toEqual([(a + b) % p]);
      return `${a} ${b}`;
    });
  });
  const pairs = Array.from({ length: p * p }, (_, i) => `${Math.floor(i / p)} ${i % p}`);
  expect(seen.toSorted()).toEqual(pairs.toSorted());
  expect(seen).not.toEqual(pairs);

  const again = modular({ p, fraction: 0.3, dataSeed: 4 });
  expect(rows(again.train.batch.x)).toEqual(rows(train.batch.x));
  const other = modular({ p, fraction: 0.3, dataSeed: 5 });
  expect(rows(other.train.batch.x)).not.toEqual(rows(train.batch.x));
});

test("a text becomes sequences of characters with those that follow", () => {
  // 13 code points: one of them takes two units of UTF-16.
  const { train, test, vocabulary } = textSamples("abcab🙂cabcabc", { context: 3 });
  expect(vocabulary).toBe(4);
  expect(rows(train.batch.x)).toEqual([
    [0, 1, 2],
    [0, 1, 3],
    [2, 0, 1],
  ]);
  expect(rows(train.batch.y)).toEqual([
    [1, 2, 0],
    [1, 3, 2],
    [0, 1, 2],
  ]);
  expect(test && rows(test.batch.x)).toEqual([[2, 0, 1]]);
  expect(test && rows(test.batch.y)).toEqual([[0, 1, 2]]);
  expect(textSamples("abcab🙂cabcabc", { context: 3, n: 1 }).train.size).toBe(1);
});

test("what cannot be learned is refused", () => {
  expect(() => modular({ p: 1 })).toThrow("invalid p: 1 (give a whole number, 2 or more)");
  expect(() => modular({ p: 2, fraction: 0.1 })).toThrow(/^invalid fraction: 0.1 of 4 pairs/);
  expect(() => textSamples("abcdef", { context: 3 }, "book.txt")).toThrow(
    "invalid book.txt: 6 characters (give 7 or more, two sequences of 3; or another context)",
  );
  expect(() => textSamples("abcdefgh", { context: 3, n: 2 }, "book.txt")).toThrow(
    "invalid n: 2 sequences of book.txt (give 1 to 1)",
  );
  expect(() => textEntry.paths?.({ context: 3 })).toThrow(
    "missing file: give a text to learn, --file book.txt",
  );
  const samples = modular({ p: 3 });
  expect(() => gpt({ ...samples, heads: 3 })).toThrow(
    "invalid heads: 3 do not divide dim 32 (give a divisor)",
  );
  expect(() => gpt({ ...samples, blocks: 0 })).toThrow(
    "invalid blocks: 0 (give a whole number, 1 or more)",
  );
  expect(() => gpt({ ...samples, vocabulary: 3 })).toThrow(
    "invalid train/x: token 3 (give 0 to 2)",
  );
  const { x, y } = samples.train.batch;
  const swapped = { ...samples.train, batch: { x: y, y: x } };
  expect(() => gpt({ ...samples, train: swapped })).toThrow(
    /^invalid train\/y: int32\[\d+, 3\] \(give int32\[samples, 1 to 1\]\)/,
  );
});
