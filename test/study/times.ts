/**
 * Studies of many cells in a database: seconds to expand and queue them, and until the status is
 * known, by the clock (`wall`) and of this process's own work (`cpu`).
 *
 *     npm run database-times -- --cells 10000 --rounds 3
 */
import { parseArgs } from "node:util";
import { connectPostgres } from "../../src/platform/node/postgres.ts";
import { readStudyDatabase } from "../../src/store/database.ts";
import { openQueue } from "../../src/store/queue.ts";
import { describeMachine } from "../../src/platform/node/machine.ts";
import { nodeSources } from "../../src/run/node-sources.ts";
import { createRunner } from "../../src/run/run.ts";
import { parseSpec } from "../../src/run/spec.ts";
import { finishedRow } from "../../src/study/cell.ts";
import { studyStatus } from "../../src/study/status.ts";
import { startServer } from "./postgres.ts";
import { expandStudy, parseStudy } from "../../src/study/study.ts";

const { values } = parseArgs({
  options: {
    cells: { type: "string", default: "10000" },
    rounds: { type: "string", default: "3" },
  },
});
const server = await startServer();

/** Seconds, and seconds of the processor in this process. */
async function time<T>(work: () => Promise<T>) {
  const cpu = process.cpuUsage();
  const began = performance.now();
  const value = await work();
  const { user, system } = process.cpuUsage(cpu);
  return { value, wall: (performance.now() - began) / 1000, cpu: (user + system) / 1e6 };
}

const machine = await describeMachine();
const seeds = Math.ceil(Number(values.cells) / 4);
for (let round = 0; round < Number(values.rounds); round++) {
  const name = `bench-${process.pid}-${round}`;
  const fixed = { data: "digits", hidden: [8] };
  const study = parseStudy({ name, fixed, axes: { rho: [0.1, 0.2, 0.5, 1] }, seeds, steps: 100 });
  const config = { study, engine: "auto" } as const;
  const expansion = await time(() => expandStudy(study));
  const cells = expansion.value;
  const enqueue = await time(async () => {
    const queue = await openQueue(await connectPostgres(server.url));
    await queue.submit(config, cells);
    await queue.close();
  });
  // The row of one of them, which stands for all.
  const runner = createRunner({ machine, sources: nodeSources() });
  const outcome = await runner.run(cells[0]?.spec ?? parseSpec({}));
  await runner.dispose();
  if (outcome.status !== "finished") throw new Error("the run was interrupted");
  const times = { finished: new Date().toISOString(), wallSeconds: 1 };
  const rows = cells.map((cell) => finishedRow(cell, outcome.result, times));
  const db = await connectPostgres(server.url);
  await db.query(
    `INSERT INTO lucid.rows (study, cell, "row", history)
     SELECT $1, r->>'cell', r, '' FROM json_array_elements($2::json) AS r`,
    [name, JSON.stringify(rows)],
  );
  await db.close();
  const status = await time(async () => {
    const db = await connectPostgres(server.url);
    const stored = await readStudyDatabase(db, name, async () => {});
    const counted = await studyStatus(stored.cells, stored.rows());
    await stored.close();
    return counted.done;
  });
  const { wall, cpu } = expansion;
  console.log(JSON.stringify({ cells: cells.length, expand: { wall, cpu }, enqueue, status }));
}
await server.stop();
