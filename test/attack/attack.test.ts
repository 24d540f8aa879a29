/** Damaged files and command lines by the thousand: `attack.ts` says what they are. */
import { expect, test } from "vitest";
import { attack } from "./attack.ts";

test("whatever is damaged or asked, the answer is right or one line", async () => {
  const { tallies, failures } = await attack({ cases: 3000 });
  expect(failures).toEqual([]);
  expect(tallies.length).toBeGreaterThan(25);
  for (const { target, guard, cases, refused } of tallies) {
    if (target.startsWith("figure")) continue;
    expect(cases, target).toBeGreaterThan(5);
    // Of files that are guarded, damage that changes numbers is the rule.
    if (guard !== null) expect(refused, target).toBeGreaterThan(cases / 4);
  }
}, 600_000);
