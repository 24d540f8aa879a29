/** The recorders for PyTorch: what they write, and that they leave a run as it was. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { python, runPython } from "./python.ts";

const script = fileURLToPath(new URL("recorder.py", import.meta.url));
const names = Array.from(
  readFileSync(script, "utf8").matchAll(/^def check_(\w+)/gm),
  ([, name = ""]) => name,
);

describe.skipIf(python === undefined)("the recorders for PyTorch", () => {
  const results = new Map<string, { error: string | null; skipped?: string | null }>();
  let stubs: string[] = [];

  beforeAll(async () => {
    for (const line of (await runPython(script)).trim().split("\n")) {
      const said = JSON.parse(line) as {
        check?: string;
        error: string | null;
        skipped?: string | null;
        stubs?: string[];
      };
      stubs = said.stubs ?? stubs;
      if (said.check !== undefined) results.set(said.check.replace("check_", ""), said);
    }
    if (stubs.length > 0) console.warn(`not installed, a stub in its place: ${stubs.join(", ")}`);
  });

  test("are checked", () => {
    expect(names.length).toBeGreaterThan(12);
    expect(results.size).toBe(names.length);
  });

  test.each(names.map((name) => [name.replaceAll("_", " "), name]))("%s", (_, name) => {
    const { error, skipped } = results.get(name ?? "") ?? { error: "it was not run" };
    if (typeof skipped === "string") console.warn(`skipped: ${skipped}`);
    expect(error).toBeNull();
  });
});
