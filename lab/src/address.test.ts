/** Addresses: what is written is read back, and what is unknown is refused aloud. */
import { specFields } from "lucid-sam/run";
import { expect, test } from "vitest";
import { changeAddress, commandOf, formatAddress, parseAddress, viewFields } from "./address.ts";

test.each([
  ["#planes?problem=ridge&rho=1.6", "as it stands"],
  ["#planes?problem=cosine&rho=4&start=-2,0.5&lr=0.05&steps=250", "with several fields"],
  ["#planes?problem=wide-narrow&method=gsam&rho=1&set.alpha=0.3&cells=64", "with a setting"],
  ["#planes?problem=ridge&rho=cosine(0,2)&switch=0.25", "with a schedule and a switch"],
  ["#networks?problem=mlp&method=asam&hidden=32,16&batch=50&optimizer=adamw", "of a network"],
  ["#networks?problem=mlp&hidden=none&nesterov=true&momentum=0.9&logarithmic=false", "with flags"],
  ["#runs?sort=size", "without a run"],
  ["#runs", "of nothing but a view"],
])("%s is read and written back (%s)", (hash) => {
  const address = parseAddress(hash);
  const written = formatAddress(address);
  expect(new Set(written.split(/[?&]/))).toEqual(new Set(hash.split(/[?&]/)));
  expect(parseAddress(written)).toEqual(address);
});

test("an empty address is the first plane of the story", () => {
  expect(parseAddress("")).toMatchObject({ view: "planes", spec: { problem: "ridge", rho: 1.6 } });
  expect(parseAddress("#networks")).toMatchObject({ spec: { problem: "regression" } });
  expect(parseAddress("#planes?rho=2")).toMatchObject({ spec: { problem: "ridge", rho: 2 } });
});

test.each([
  ["#plane", 'unknown view "plane" (choose from planes, networks, runs)'],
  ["#planes?rhoo=1", 'unknown field "rhoo" (did you mean "rho"?)'],
  ["#planes?cels=64", 'unknown field "cels" (did you mean "cells"?)'],
  ["#planes?cells=7", "invalid cells: 7 (give a whole number from 16 to 512)"],
  ["#planes?problem=rigde", 'unknown problem "rigde" (did you mean "ridge"?)'],
  [
    "#planes?problem=mlp",
    "invalid problem: mlp is no plane (open it in Networks, or choose ridge)",
  ],
  [
    "#planes?steps=1000000000",
    "invalid steps: 1000000000 (on planes give at most 100000, or use the command line)",
  ],
  ["#networks?turns=5:sma", 'unknown method "sma" (did you mean "sam"?)'],
  ["#networks?turns=5:gd,9:sam:1.2.3", /^invalid rho: 1\.2\.3 \(give a number, /],
  ["#networks?fork=0:gd:2", /^unknown setting "rho" of gd /],
  ["#planes?rho=-1", /^invalid rho: -1 \(give a number, 0 or more/],
  ["#planes?rho=1&rho=2", "invalid rho: given twice (give it once)"],
  ["#planes?problem=ridge&hidden=5", "invalid hidden: problem ridge has none (leave it out)"],
  ["#networks?__proto__=1", /^unknown field "__proto__"/],
  ["#runs?problem=ridge", /^unknown field "problem" \(choose from item, cell, x, y/],
])("%s is refused in one line", (hash, message) => {
  expect(() => parseAddress(hash)).toThrow(expect.objectContaining({ name: "InputError" }));
  expect(() => parseAddress(hash)).toThrow(message);
});

test("a change keeps what it does not name, and defaults follow the problem", () => {
  const address = parseAddress("#planes?problem=ridge&rho=1.6&cells=64&start=1,2") as never;
  const other = changeAddress<"planes">(address, { spec: { rho: 2 } });
  expect(formatAddress(other)).toBe("#planes?problem=ridge&start=1,2&rho=2&cells=64");
  const moved = changeAddress<"planes">(other, { spec: { problem: "cosine", start: undefined } });
  expect(formatAddress(moved)).toBe("#planes?problem=cosine&rho=2&cells=64");
});

test("the command does the same", () => {
  const { spec } = parseAddress("#planes?problem=wide-narrow&method=gsam&set.alpha=0.3&lr=0.05");
  if (!spec) throw new Error("no spec");
  expect(commandOf(spec)).toBe(
    "lucid train --problem wide-narrow --lr 0.05 --method gsam --set alpha=0.3",
  );
});

test("no field of a view has the name of a field of a run", () => {
  const own = Object.values(viewFields).flatMap(({ shape }) => Object.keys(shape));
  expect(own.length).toBeGreaterThan(0);
  expect(own.filter((field) => specFields.has(field))).toEqual([]);
});
