/** `lucid lab`: the lab in a browser, with folders of this machine. */
import { spawn } from "node:child_process";
import type { Command } from "@commander-js/extra-typings";
import { InputError } from "../../engine/errors.ts";
import { catchInterrupt } from "../../platform/node/interrupt.ts";
import { option } from "../shared/arguments.ts";
import type { Terminal } from "../shared/terminal.ts";

interface LabFlags {
  readonly port?: string;
  readonly open?: true;
}

export function addLab(program: Command, terminal: Terminal): void {
  program
    .command("lab")
    .description("Open the lab in a browser: planes, networks, and the runs in folders, live.")
    .argument("[folders...]", "folders with runs, studies, logs, landscapes, certificates")
    .addOption(option("--port <number>", "of this machine (default: one that is free)"))
    .option("--open", "open the browser as well")
    .action((folders, flags) =>
      lab(
        folders,
        flags,
        async () =>
          (await import("../../serve/pages.ts")).builtPages(() =>
            terminal.err.write("building the pages of the lab, once …\n"),
          ),
        terminal,
      ),
    );
}

/** Serve until Ctrl-C. */
export async function lab(
  folders: readonly string[],
  flags: LabFlags,
  site: () => Promise<string>,
  terminal: Terminal,
): Promise<void> {
  const port = portOf(flags.port);
  // Loaded on demand: no other command serves anything.
  const { startLab } = await import("../../serve/server.ts");
  const server = await startLab({ folders, site, port });
  const interrupt = catchInterrupt();
  const { signal } = interrupt;
  try {
    terminal.out(`${server.address}\n`);
    terminal.err.write("only this machine can open it; Ctrl-C ends\n");
    if (flags.open) openBrowser(server.addressOnce(), terminal);
    await new Promise((done) => signal.addEventListener("abort", done, { once: true }));
  } finally {
    interrupt.dispose();
    await server.close();
  }
}

function portOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new InputError(`invalid port: ${text} (give a whole number from 1 to 65535)`);
}

/** What opens an address on each system, without a shell. */
const openers: Readonly<Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>>> = {
  darwin: ["open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};

function openBrowser(address: string, { err }: Terminal): void {
  const [command, ...args] = openers[process.platform] ?? ["xdg-open"];
  const child = spawn(command, [...args, address], { stdio: "ignore", detached: true });
  child.on("error", () => err.write(`missing ${command}: open the address yourself\n`));
  child.unref();
}
