/** The command `lucid lab` with a site of its own: `lab-process.ts SITE FLAGS FOLDER...`, flags as JSON. */
import { lab } from "../../src/cli/commands/lab.ts";
import { processTerminal } from "../../src/cli/shared/terminal.ts";

const [site = "", flags = "{}", ...folders] = process.argv.slice(2);
await lab(folders, JSON.parse(flags) as object, async () => site, processTerminal);
