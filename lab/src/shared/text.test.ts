/** Text in drawings: what fits stays whole, what does not is cut where the room ends. */
import { expect, test } from "vitest";
import { cutTo, widthOf } from "./text.ts";

const name = "SAM after plain descent over a tenth of the run, ρ = 0.05 👩‍🔬";

test.each([0.1, 0.2, 0.37, 0.5, 0.7, 0.99])(
  "a name is cut to %d of its width and no earlier",
  (part) => {
    const width = part * widthOf(name);
    const cut = cutTo(name, width);
    expect(cut.endsWith("…")).toBe(true);
    expect(widthOf(cut)).toBeLessThanOrEqual(width);
    const kept = cut.slice(0, -1);
    expect(name.startsWith(kept)).toBe(true);
    // Spaces at its end are left out.
    const rest = Array.from(name.slice(kept.length));
    const next = rest.slice(0, rest[0] === " " ? 2 : 1).join("");
    expect(widthOf(`${kept}${next}…`)).toBeGreaterThan(width);
  },
);

test("what fits stays whole, and of anything a letter is left", () => {
  expect(cutTo(name, widthOf(name))).toBe(name);
  expect(cutTo(name, 1)).toBe("S…");
  expect(cutTo("", 0)).toBe("");
  expect(cutTo("8", 0)).toBe("8");
});
