/** The command line `lucid`. Data on stdout, progress on stderr; exit 0 done, 1 failed, 2 bad input, 3 alarm. */
import { Command, CommanderError } from "@commander-js/extra-typings";
import { InputError, MachineError, printable } from "../engine/errors.ts";
import { fileError } from "../platform/node/files.ts";
import { packageVersion } from "../platform/node/machine.ts";
import { addDemo } from "./commands/demo.ts";
import { addCompare } from "./commands/compare.ts";
import { addCertify } from "./commands/certify.ts";
import { addBench } from "./commands/bench.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addFind } from "./commands/find.ts";
import { addExport } from "./commands/export.ts";
import { addFigure } from "./commands/figure.ts";
import { addLab } from "./commands/lab.ts";
import { addLandscape } from "./commands/landscape.ts";
import { addMethods } from "./commands/methods.ts";
import { addProblems } from "./commands/problems.ts";
import { addReport } from "./commands/report.ts";
import { addReproduce } from "./commands/reproduce.ts";
import { addPython } from "./commands/python.ts";
import { addScreen } from "./commands/screen.ts";
import { addSweep } from "./commands/sweep.ts";
import { Alarm, Interrupted, processTerminal, type Terminal } from "./shared/terminal.ts";
import { addTrain } from "./commands/train.ts";
import { addWorker } from "./commands/worker.ts";

/**
 * Run one command.
 *
 * @param argv as in `process.argv`: two entries, then the arguments.
 * @returns the exit code: 0 done, 1 failed, 2 bad input, 3 what `--fail-on` names was found, 130 interrupted.
 */
export async function main(argv: string[], terminal: Terminal = processTerminal): Promise<number> {
  if (terminal === processTerminal) allowClosedPipes();
  try {
    const program = createProgram(terminal);
    if (argv.length > 2) await program.parseAsync(argv);
    else terminal.out(program.helpInformation());
    return 0;
  } catch (error) {
    return report(error, terminal);
  }
}

/**
 * A reader that has seen enough, as in `lucid methods | head -1`, is no error; a full disk is. Both
 * may show only after the command is done, so the listeners stay.
 */
function allowClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
      const { message } = fileError(error, "write", "standard output") as Error;
      // Where even this cannot be written, the exit code is all that is left to say.
      if (stream === process.stdout) process.stderr.write(`${message}\n`);
      process.exit(1);
    });
  }
}

function createProgram(terminal: Terminal) {
  const program = new Command("lucid")
    .description("Sharpness-aware training that knows when it is hallucinating.")
    .version(packageVersion, "--version", "print the version")
    .helpOption("--help", "print this help")
    .exitOverride()
    .configureOutput({
      writeOut: terminal.out,
      writeErr: () => {},
    });
  addDemo(program, terminal);
  addTrain(program, terminal);
  addScreen(program, terminal);
  addCertify(program, terminal);
  addFind(program, terminal);
  addSweep(program, terminal);
  addWorker(program, terminal);
  addFigure(program, terminal);
  addLandscape(program, terminal);
  addReproduce(program, terminal);
  addReport(program, terminal);
  addCompare(program, terminal);
  addLab(program, terminal);
  addExport(program, terminal);
  addPython(program, terminal);
  addMethods(program, terminal);
  addProblems(program, terminal);
  addBench(program, terminal);
  addDoctor(program, terminal);
  return program;
}

/** Say in one line what went wrong, and choose the exit code. */
function report(error: unknown, { err }: Terminal): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    err.write(`${oneLine(translate(error))}\n`);
    return 2;
  }
  if (error instanceof Interrupted) {
    if (error.message !== "") err.write(`${error.message}\n`);
    return 130;
  }
  if (error instanceof Alarm) {
    err.write(`${error.message}\n`);
    return 3;
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const expected = error instanceof InputError || error instanceof MachineError;
  const line = oneLine(message);
  err.write(expected ? `${line}\n` : `invalid state inside lucid: ${line}\n`);
  if (process.env["LUCID_DEBUG"]) err.write(`${stack}\n`);
  else if (!expected) err.write("(LUCID_DEBUG=1 shows where)\n");
  return error instanceof InputError ? 2 : 1;
}

/** Characters of a line that people still read. */
const longestLine = 600;

/** The first line, without what would steer the terminal; of a very long one, beginning and end. */
function oneLine(message: string): string {
  const line = printable(message.split("\n", 1)[0] ?? "");
  if (line.length <= longestLine) return line;
  const half = longestLine / 2;
  return `${line.slice(0, half)} … ${line.slice(-half)}`;
}

/** Commander's complaints in our words. */
function translate({ code, message }: CommanderError): string {
  const [, subject = ""] = /'([^']*)'/.exec(message) ?? [];
  const [, guess] = /Did you mean ([^?]*)\?/.exec(message) ?? [];
  const flag = /--[a-z-]+/.exec(subject)?.[0] ?? subject;
  switch (code) {
    case "commander.optionMissingArgument":
      return `missing value for ${flag}`;
    case "commander.missingArgument":
      return `missing ${subject}`;
    case "commander.unknownOption":
      return `unknown option "${subject}" (${guess ? `did you mean "${guess}"?` : "see --help"})`;
    case "commander.unknownCommand":
      return `unknown command "${subject}" (${guess ? `did you mean "${guess}"?` : "see lucid --help"})`;
    default:
      return `invalid command line: ${message.replace(/^error: /, "").split("\n", 1)[0]}`;
  }
}
