import { expect, test } from "vitest";
import { killSweeps } from "./kills.ts";

test("a sweep killed at random moments ends as one that was left alone", async () => {
  expect(await killSweeps({ kills: 4, cells: 12 })).toMatchObject({ kills: 4 });
}, 600_000);
