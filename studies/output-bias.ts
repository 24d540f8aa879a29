/**
 * The theorem on output biases at random parameters, kept: rows of `lucid certify --theorems`.
 *
 *     node --conditions=source studies/output-bias.ts FILE.json
 */
import { writeFileSync } from "node:fs";
import { checkTheorems } from "lucid-sam/diagnostics";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("missing file (give one for the results)");
const rows = await checkTheorems({ only: "Output bias" });
writeFileSync(file, `${JSON.stringify(rows, null, 2)}\n`);
