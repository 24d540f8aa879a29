import { expect, test } from "vitest";
import { checkTheorems } from "./index.ts";

const rows = await checkTheorems();

test.each(rows.map((row) => [row.statement, row.plane, row] as const))("%s on %s", (_, __, row) => {
  expect(row, row.claim).toMatchObject({ passed: true });
});

test("every statement of the theory is there, on every plane where it applies", () => {
  const planesOf = (statement: string) =>
    new Set(rows.filter((row) => row.statement === statement).map(({ plane }) => plane));
  expect(planesOf("Theorem 2.1")).toEqual(new Set(["bump", "ridge", "himmelblau"]));
  expect(planesOf("Theorem 2.2")).toEqual(new Set(["ring"]));
  expect(planesOf("Inertia").size).toBe(7);
  expect(new Set(rows.map(({ statement }) => statement)).size).toBe(16);
});

test("what was measured once by other means: the constructed point beside bump's hill", () => {
  const [row] = rows.filter(({ statement }) => statement === "Constructed points repel");
  const { rho, surrogateMin, surrogateMax, samJacobianMin, samJacobianMax } = row?.numbers ?? {};
  const digits = (value: number | undefined) => value?.toPrecision(3);
  expect(rho).toBeCloseTo(2.3665, 4);
  expect([surrogateMin, surrogateMax, samJacobianMin, samJacobianMax].map(digits)).toEqual([
    "2.19",
    "76.2",
    "-12.3",
    "2.19",
  ]);
});

test("only: keeps the statements that contain a text", async () => {
  const some = await checkTheorems({ only: "A.1" });
  expect(some.map(({ statement }) => statement)).toEqual(["Proposition A.1", "Proposition A.1"]);
});
