import { parquetReadObjects } from "hyparquet";
import { expect, test } from "vitest";
import { toColumns, toCsv, toParquet } from "./table.ts";

const rows = [
  { cell: "a", at: { rho: 1, "settings.eta": 0.1 }, final: { loss: 0.5 }, ok: true, error: null },
  { cell: "b", at: { rho: "cosine(1, 0)" }, final: null, ok: false, error: 'bad "x", sorry\nend' },
  { cell: "c", at: { rho: 2 }, final: { loss: null, point: [1, 2] }, ok: true, error: null },
];

test("nested fields become columns; what a row lacks is null; empty columns go", () => {
  const columns = toColumns([...rows, { cell: "d", nothing: null }]);
  expect(Object.fromEntries(columns.map(({ name, values }) => [name, values]))).toEqual({
    cell: ["a", "b", "c", "d"],
    at_rho: [1, "cosine(1, 0)", 2, null],
    at_settings_eta: [0.1, null, null, null],
    final_loss: [0.5, null, null, null],
    ok: [true, false, true, null],
    error: [null, 'bad "x", sorry\nend', null, null],
    final_point: [null, null, "[1,2]", null],
  });
});

test("CSV quotes what needs it", () => {
  expect(toCsv(toColumns(rows)).split("\r\n").slice(0, 3)).toEqual([
    "cell,at_rho,at_settings_eta,final_loss,ok,error,final_point",
    "a,1,0.1,0.5,true,,",
    'b,"cosine(1, 0)",,,false,"bad ""x"", sorry\nend",',
  ]);
});

test("Parquet keeps numbers, truth values and nulls", async () => {
  const file = (await toParquet(toColumns(rows))).buffer;
  expect(await parquetReadObjects({ file })).toEqual([
    {
      cell: "a",
      at_rho: "1",
      at_settings_eta: 0.1,
      final_loss: 0.5,
      ok: true,
      error: null,
      final_point: null,
    },
    {
      cell: "b",
      at_rho: "cosine(1, 0)",
      at_settings_eta: null,
      final_loss: null,
      ok: false,
      error: 'bad "x", sorry\nend',
      final_point: null,
    },
    {
      cell: "c",
      at_rho: "2",
      at_settings_eta: null,
      final_loss: null,
      ok: true,
      error: null,
      final_point: "[1,2]",
    },
  ]);
});

test("a spreadsheet runs no label as a formula", () => {
  const labels = ["=1+1", "+x", "-x", "@x", "\t=x", "-1", "+1e5", "a=b", -1];
  expect(toCsv([{ name: "label", values: labels }]).split("\r\n")).toEqual([
    "label",
    "'=1+1",
    "'+x",
    "'-x",
    "'@x",
    "'\t=x",
    "-1",
    "+1e5",
    "a=b",
    "-1",
    "",
  ]);
});

test("control characters are spelled out, tabs and ends of lines stay", () => {
  const labels = ["\u001B[31mred", "a\tb\r\nc\nd", "\u009B2J", "=\u0007"];
  expect(toCsv([{ name: "a\u0000b", values: labels }])).toBe(
    'a\\u0000b\r\n\\u001b[31mred\r\n"a\tb\r\nc\nd"\r\n\\u009b2J\r\n\'=\\u0007\r\n',
  );
});
