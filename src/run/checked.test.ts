import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatChecked, withoutCheck } from "./checked.ts";

test.each([undefined, 2])("objects come back as they were written, indented by %s", (indent) => {
  const key = fc.string().filter((name) => name !== "");
  fc.assert(
    fc.property(
      fc.dictionary(key, fc.jsonValue(), { minKeys: 1, noNullPrototype: true }),
      (value) => {
        const text = formatChecked(value, indent);
        expect(JSON.parse(text)).toMatchObject({ check: expect.stringMatching(/^[0-9a-f]{8}$/) });
        expect(JSON.parse(withoutCheck(text) ?? "")).toEqual(JSON.parse(JSON.stringify(value)));
      },
    ),
  );
});

test.each([undefined, 2])("no flipped bit changes a value unnoticed, indented by %s", (indent) => {
  const value = { cell: "0123456789abcdef", loss: 0.125, nested: { check: "aaaaaaaa" }, e: "é" };
  const bytes = new TextEncoder().encode(formatChecked(value, indent));
  let refused = 0;
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const damaged = bytes.slice();
    damaged[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    let found: unknown;
    try {
      found = JSON.parse(withoutCheck(new TextDecoder().decode(damaged)) ?? "damaged");
    } catch {
      refused++;
      continue;
    }
    // Where the name of the check itself is hit, the values stand as they were.
    expect(found, `bit ${bit}`).toMatchObject(value);
  }
  expect(refused).toBeGreaterThan(7 * bytes.length);
});

test("what older versions wrote has no checksum, and is taken as it is", () => {
  expect(withoutCheck('{"a":1}')).toBe('{"a":1}');
});

test.each(['{"a":1,"check":null}', '{"check":"00000000","a":1}', '{"a":1,"check":{"b":2}}'])(
  "a checksum that is none is one that was damaged: %s",
  (text) => {
    expect(withoutCheck(text)).toBeUndefined();
  },
);
