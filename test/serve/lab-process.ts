/** The command `lucid lab` with a site of its own: `lab-process.ts SITE PORT FOLDER...` */
import { lab } from "../../src/cli/commands/lab.ts";
import { processTerminal } from "../../src/cli/shared/terminal.ts";

const [site = "", port = "", ...folders] = process.argv.slice(2);
await lab(folders, port === "" ? {} : { port }, site, processTerminal);
