import { describe, expect, it } from "vitest";
import { leavesOf, tensor } from "../engine/tensor.ts";
import { parseCsv, standardized } from "./table.ts";

const flowers = `length, width,species
5.1,3.5,"setosa"
4.9,3,setosa

7,3.2,versicolor
6.3,3.3,"virginica, large"
`;

describe("a table", () => {
  const table = parseCsv(flowers, "flowers.csv");

  it("has columns of numbers and of texts", () => {
    expect(table.columns).toEqual(["length", "width", "species"]);
    expect(table.size).toBe(4);
    const { shape, dtype, data } = table.numbers();
    expect([dtype, shape, [...data]]).toEqual([
      "float64",
      [4, 2],
      [5.1, 3.5, 4.9, 3, 7, 3.2, 6.3, 3.3],
    ]);
    expect([...table.numbers("width").data]).toEqual([3.5, 3, 3.2, 3.3]);
  });

  it("numbers texts by alphabet and numbers by size", () => {
    expect(table.classes("species")).toEqual(["setosa", "versicolor", "virginica, large"]);
    expect([...table.labels("species").data]).toEqual([0, 0, 1, 2]);
    expect(parseCsv("y\n10\n9\n10").classes("y")).toEqual(["9", "10"]);
  });

  it("is divided so that no row is lost, labels agree, and a seed decides", () => {
    const text = `x,y\n${Array.from({ length: 20 }, (_, i) => `${i},${i % 3}`).join("\n")}`;
    const whole = parseCsv(text);
    const [small, rest] = whole.split(0.25, { seed: 3 });
    expect([small.size, rest.size]).toEqual([5, 15]);
    const numbers = [small, rest].flatMap((part) => [...part.numbers("x").data]);
    expect(numbers.toSorted((a, b) => a - b)).toEqual([...whole.numbers("x").data]);
    for (const part of [small, rest]) {
      const [x, y] = leavesOf([part.numbers("x"), part.labels("y")]);
      expect([...(y?.data ?? [])]).toEqual([...(x?.data ?? [])].map((value) => value % 3));
    }
    expect([...whole.split(0.25, { seed: 3 })[0].numbers("x").data]).toEqual([
      ...small.numbers("x").data,
    ]);
    expect([...whole.split(0.25, { seed: 4 })[0].numbers("x").data]).not.toEqual([
      ...small.numbers("x").data,
    ]);
  });
});

it.each([
  ["", "invalid table t.csv: no rows (give names of columns, then rows)"],
  ["a,b\n", "invalid table t.csv: no rows (give names of columns, then rows)"],
  ["a,a\n1,2", 'invalid table t.csv: two columns "a" (name each once)'],
  ["a,b\n1,2\n3", "invalid table t.csv: 1 fields in line 3 (give 2, one per column)"],
])("refuses %j", (text, message) => {
  expect(() => parseCsv(text, "t.csv")).toThrow(message);
});

it.each([
  ["nothing", "1,\n2,3", "invalid b in line 2 of t.csv: nothing (give a finite number)"],
  ["a word", "1,2\n2,NA", "invalid b in line 3 of t.csv: NA (give a finite number)"],
  ["infinity", "1,2\n2,Infinity", "invalid b in line 3 of t.csv: Infinity (give a finite number)"],
])("refuses %s as a number", (_, rows, message) => {
  expect(() => parseCsv(`a,b\n${rows}`, "t.csv").numbers("a", "b")).toThrow(message);
});

it("names the columns there are", () => {
  expect(() => parseCsv("a,b\n1,2", "t.csv").labels("c")).toThrow(
    'unknown column "c" of t.csv (choose from a, b)',
  );
});

it("brings columns to mean 0 and deviation 1, others by the same measure", () => {
  const train = tensor([1, 7, 3, 7], [2, 2], "float64");
  expect([...standardized(train).data]).toEqual([-1, 0, 1, 0]);
  expect([...standardized(tensor([4, 8], [1, 2], "float64"), train).data]).toEqual([2, 1]);
});
