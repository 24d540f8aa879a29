import { expect, test } from "vitest";
import { noPostgres } from "../study/postgres.ts";
import { killAgain, victims } from "./kills.ts";

if (noPostgres) console.warn(noPostgres);

test.each(victims.filter((victim) => victim !== "database" || !noPostgres))(
  "a %s killed at random moments ends as one that was left alone",
  async (victim) => {
    expect(await killAgain({ victim, kills: 4, cells: 12 })).toMatchObject({
      kills: 4,
      lost: 0,
      twice: 0,
      differing: 0,
    });
  },
  600_000,
);
