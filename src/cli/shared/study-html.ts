/** The page of a stored study, for every command that shows one. */
import type { StoredStudy } from "../../store/store.ts";
import type { Row } from "../../study/cell.ts";

/** The page as HTML. What draws is loaded on demand. */
export async function studyHtml(stored: StoredStudy): Promise<string> {
  const rows = new Map<string, Row>();
  for await (const row of stored.rows()) if (!rows.has(row.cell)) rows.set(row.cell, row);
  const found = stored.cells.flatMap(({ id, at }) => {
    const row = rows.get(id);
    return row === undefined ? [] : [{ row, at: { ...at, seed: row.spec.seed } }];
  });
  const runs = [];
  for (const { row, at } of found) {
    const { spec, final, verdict, certificate, relativeRho } = row;
    if (final === null || verdict === null) continue;
    const result = { spec, final, verdict, certificate, relativeRho };
    runs.push({ cell: row.cell, at, result, rows: await stored.history(row.cell) });
  }
  const { studyPage } = await import("../../report/study-page.ts");
  return studyPage({
    name: stored.study.name,
    description: stored.study.description,
    runs,
    cells: stored.cells.length,
    failures: found.flatMap(({ row: { cell, error } }) =>
      error === null ? [] : [{ cell, error }],
    ),
  });
}
