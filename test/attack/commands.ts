/** Command lines, by seed: good ones, which must be carried out, and bad ones, which must be refused. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { RandomStream } from "../../src/engine/random.ts";
import { methods } from "../../src/sam/registry.ts";
import { lucid } from "../lucid.ts";
import { hostileTexts, pick } from "./damage.ts";

/** A command line and what must become of it. */
export interface CommandCase {
  readonly args: readonly string[];
  readonly expected: "done" | "refused" | "either";
}

const logUniform = (random: RandomStream, low: number, high: number): string =>
  Math.exp(random.uniform(Math.log(low), Math.log(high))).toPrecision(4);

const planes = [
  "quadratic",
  "saddle",
  "dome",
  "cosine",
  "wide-narrow",
  "bump",
  "ridge",
  "ring",
  "rosenbrock",
  "himmelblau",
] as const;

/** Flags by name; an empty value is a flag without one. */
type Flags = Map<string, string>;

/** Something that everybody may ask for. */
function goodTrain(random: RandomStream): Flags {
  const flags: Flags = new Map();
  const maybe = (share: number, flag: string, value: () => string) => {
    if (random.uniform() < share) flags.set(flag, value());
  };
  const kind = random.uniform();
  if (kind < 0.6) {
    flags.set("problem", pick(random, planes));
    maybe(0.5, "start", () => `${random.normal().toFixed(3)},${random.normal().toFixed(3)}`);
  } else if (kind < 0.75) {
    flags.set("problem", "regression");
    maybe(0.5, "hidden", () => String(1 + random.integer(4)));
    maybe(0.5, "n", () => String(2 + random.integer(20)));
    maybe(0.3, "gain", () => logUniform(random, 0.1, 10));
    maybe(0.3, "target", () => pick(random, ["sine", "runge"]));
  } else {
    flags.set("n", String(20 + random.integer(40)));
    flags.set("pool", pick(random, ["7", "14"]));
    flags.set("hidden", pick(random, ["2", "4", "3,2", "none"]));
    maybe(0.3, "activation", () => pick(random, ["tanh", "relu"]));
    maybe(0.3, "batch", () => pick(random, ["full", "1", "7", "20"]));
  }
  // Every method: a few have settings without which they do not work, which is an answer as well.
  const method = pick(random, methods);
  flags.set("method", method.name);
  maybe(0.8, "lr", () => logUniform(random, 1e-5, 100));
  if (method.name !== "gd") maybe(0.2, "switch", () => random.uniform().toFixed(2));
  if (Object.hasOwn(method.options.shape, "rho")) {
    maybe(0.7, "rho", () => logUniform(random, 1e-4, 50));
  }
  if (random.uniform() < 0.3) {
    flags.set("optimizer", "adamw");
  } else if (random.uniform() < 0.4) {
    flags.set("momentum", pick(random, ["0.5", "0.9", "0.99"]));
    maybe(0.5, "nesterov", () => "");
  }
  maybe(0.2, "weight-decay", () => logUniform(random, 1e-5, 0.5));
  maybe(0.2, "schedule", () => pick(random, ["constant", "cosine", "step"]));
  maybe(0.2, "clip", () => logUniform(random, 1e-3, 10));
  maybe(0.5, "seed", () => String(random.integer(2 ** 31)));
  maybe(0.3, "dtype", () => pick(random, ["float32", "float64"]));
  maybe(0.2, "record-every", () => String(1 + random.integer(70)));
  maybe(0.2, "trace", () => "");
  flags.set("steps", String(1 + random.integer(60)));
  return flags;
}

/** ∞ there, a number in float64: then the run diverges, and says so. */
const tooLargeForFloat32 = "1e39";

/** A value that must be refused, by flag; other flags get texts that may be either. */
const bad: { readonly [flag: string]: readonly string[] } = {
  problem: ["mlpp", "", "../x", "constructor", "__proto__", "x\u0000.ts"],
  method: ["samm", "", "=sam", "constructor", "toString", "sam\n"],
  lr: ["0", "-1", "NaN", "x", "1e999", "1,5", "", tooLargeForFloat32],
  rho: ["-1", "NaN", "x", "cosine(", "constructor(1)", "power(1,2,3)", "linear()"],
  steps: ["0", "-1", "1.5", "x", "1e999", "NaN", ""],
  seed: ["-1", "0.5", "4294967296", "x", "1e10"],
  momentum: ["-1", "2", "x"],
  switch: ["-0.1", "1.1", "x"],
  start: ["1", "1,2,3", "x,y", ",", "NaN,1"],
  dtype: ["float16", "", "FLOAT"],
  optimizer: ["adam", "", "constructor"],
  schedule: ["linear", "", "cosine(1,0)"],
  batch: ["0", "-1", "half", "1.5"],
  threads: ["0", "-1", "1.5", "100000", "x"],
  engine: ["gpu", "", "constructor"],
  "record-every": ["0", "-1", "x"],
  "save-every": ["-1", "x", "NaN"],
  hidden: ["100000000", "-1", "0", "1.5", "x"],
  n: ["0", "-1", "x", "1e12"],
};

const argsOf = (flags: Flags): string[] =>
  [...flags].flatMap(([flag, value]) => (value === "" ? [`--${flag}`] : [`--${flag}`, value]));

/** One command line. */
export function makeCommand(random: RandomStream, out: string): CommandCase {
  const flags = goodTrain(random);
  const commands = ["train", "train", "train", "train", "certify", "find", "other"] as const;
  const command = pick(random, commands);
  if (command === "other") return otherCommand(random, out);
  if (command !== "train") return diagnosis(random, command);
  const keep = random.uniform() < 0.3 ? ["--out", out] : [];
  const choice = random.uniform();
  if (choice < 0.35) {
    // Some need what only some problems have, such as normalization layers.
    const isChoosy = ["saf", "mesa", "sam-on"].includes(flags.get("method") ?? "");
    const args = ["train", ...argsOf(flags), ...keep, "--json"];
    return { args, expected: isChoosy ? "either" : "done" };
  }
  const [flag, values] = pick(random, Object.entries(bad));
  if (choice < 0.7) {
    // A flag that the problem does not have is refused as well.
    const rest = new Map([...flags].filter(([name]) => name !== flag));
    const value = pick(random, values);
    if (value === tooLargeForFloat32) rest.set("dtype", "float32");
    const args = ["train", ...argsOf(rest), `--${flag}=${value}`, ...keep, "--json"];
    return { args, expected: "refused" };
  }
  if (choice < 0.9) {
    const names = ["problem", "rho", "start", "schedule", "set", "data", "resume", "method", "out"];
    const name = pick(random, names);
    const text = pick(random, hostileTexts);
    // A folder of that name is not to be made.
    const args = [
      "train",
      ...argsOf(flags),
      `--${name}`,
      name === "out" ? `${out}\u0000${text}` : text,
    ];
    return { args: [...args, "--json"], expected: "either" };
  }
  const args = ["train", ...argsOf(flags), "--json"];
  const [from, to] = [random.integer(args.length), random.integer(args.length)];
  const mixed = args.with(from, args[to] ?? "").with(to, args[from] ?? "");
  // Without it a run may be long.
  return { args: [...mixed, "--steps", "5"], expected: "either" };
}

function diagnosis(random: RandomStream, command: "certify" | "find"): CommandCase {
  const good = [
    "--problem",
    pick(random, planes),
    "--rho",
    logUniform(random, 0.01, 8),
    ...(command === "certify"
      ? ["--point", `${random.normal().toFixed(2)},${random.normal().toFixed(2)}`, "--steps", "20"]
      : ["--by", "construction", "--epsilon", logUniform(random, 1e-3, 0.5)]),
    "--json",
  ];
  if (random.uniform() < 0.3) return { args: [command, ...good], expected: "either" };
  const at = random.integer(good.length);
  return { args: [command, ...good.with(at, pick(random, hostileTexts))], expected: "either" };
}

function otherCommand(random: RandomStream, out: string): CommandCase {
  const text = () => pick(random, hostileTexts);
  return {
    args: pick(random, [
      () => ["methods", text()],
      () => ["methods", pick(random, methods).name, "--json"],
      () => ["problems", text(), "--json"],
      () => ["sweep", text(), "--out", out],
      () => ["sweep", text(), "--out", out, "--dry-run", `--preset=${text()}`],
      () => ["sweep", "status", text()],
      () => ["sweep", "export", text(), "--to", out],
      () => ["sweep", "rerun", text(), text()],
      () => ["sweep", "pack", text(), "--to", out],
      () => ["sweep", "unpack", text(), "--to", out],
      () => ["figure", text(), text(), "--out", `${out}.svg`],
      () => ["figure", "loss", text(), "--out", `${out}.svg`],
      () => ["export", "--problem", text(), "--out", out],
      () => ["worker", "--once", "--store", text()],
      () => ["sweep", "status", "x", "--store", `postgres://u:secret@[${text()}`],
      () => [text(), text()],
      () => [pick(random, ["train", "find", "certify", "sweep", "bench"]), `--${text()}`],
      () => ["bench", "--only", text()],
    ])(),
    expected: "either",
  };
}

/** What is wrong with how a command line was answered; `undefined`: nothing. */
export async function runCommand(
  { args, expected }: CommandCase,
  folder: string,
): Promise<{ readonly refused: boolean; readonly fault: string | undefined }> {
  const made = join(folder, "out");
  rmSync(made, { recursive: true, force: true });
  const { code, out, err } = await lucid(...args);
  const refused = code !== 0;
  const fault = ((): string | undefined => {
    if (err.includes("invalid state") || /\n\s+at /.test(err)) return `exit ${code}: ${err}`;
    if (err.includes("secret") || out.includes("secret")) return `a secret: ${err}`;
    if (code === 0) {
      if (expected === "refused") return "was carried out";
      return args[0] === "train" && args.includes("--json") ? faultOf(out) : undefined;
    }
    if (expected === "done") return `exit ${code}: ${err}`;
    // Notes may come before; what ends it is the last line.
    const lines = err.trimEnd().split("\n");
    if (code === 2 && lines.length !== 1) return `${lines.length} lines: ${err}`;
    if (code !== 2 && code !== 1) return `exit ${code}: ${err}`;
    if (!/^(missing|invalid|unknown) /.test(lines.at(-1) ?? "")) return `exit ${code}: ${err}`;
    // oxlint-disable-next-line no-control-regex
    if (/[\u0000-\u0009\u000b-\u001f\u007f]/.test(err)) return `control characters: ${err}`;
    if (code === 2 && existsSync(made)) return "left something behind";
    return undefined;
  })();
  return { refused, fault };
}

/** A result has finite numbers, or says that it diverged. */
function faultOf(out: string): string | undefined {
  const { final, verdict, trace } = JSON.parse(out) as {
    final: { loss: number | null; gradNorm: number | null };
    verdict?: { name: string };
    trace: unknown;
  };
  if (trace === undefined || verdict === undefined) return `no result: ${out.slice(0, 200)}`;
  const finite = final.loss !== null && final.gradNorm !== null;
  return finite || verdict.name === "diverged"
    ? undefined
    : `${verdict.name} with loss ${final.loss} and gradient ${final.gradNorm}`;
}
