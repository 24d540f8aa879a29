import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { certificateSchema } from "./certificate.ts";
import { leftAbove, outcomeOf, returnedBelow } from "./nearby-runs.ts";

test("certificates that were stored by earlier versions are read", () => {
  const file = new URL("../../../test/pins/old-certificates.jsonl.gz", import.meta.url);
  const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split("\n");
  expect(lines).toHaveLength(10);
  for (const line of lines) {
    const { certificate } = JSON.parse(line) as { certificate: object };
    expect(certificateSchema.parse(certificate)).toEqual(certificate);
  }
});

test.each([
  [1, 0.5, "returned"],
  [1, 0.51, "stayed"],
  [1, 1, "stayed"],
  [1, 1.99, "stayed"],
  [1, 2, "left"],
  [1, NaN, "left"],
  [1, Infinity, "left"],
  // Once called returned: it had moved away.
  [0.004, 0.00414, "stayed"],
])("a copy that starts at the distance %d and ends at %d has %s", (initial, final, outcome) => {
  expect(outcomeOf(initial, final)).toBe(outcome);
  expect([returnedBelow, leftAbove]).toEqual([0.5, 2]);
});
