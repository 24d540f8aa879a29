/** `lucid doctor`: what this machine offers, and what to do about what it does not. */
import { reasonOf } from "../../engine/errors.ts";
import { execFile } from "node:child_process";
import { access, constants, stat } from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Option, type Command } from "@commander-js/extra-typings";
import { np } from "../../engine/jax-js.ts";
import { engineNames, engines, type EngineName } from "../../engine/engines.ts";
import { compile, type EngineOptions } from "../../engine/index.ts";
import { loadRuntime } from "../../engine/native/runtime.ts";
import { zeros } from "../../engine/tensor.ts";
import { cacheFolder } from "../../platform/node/cache.ts";
import { isDrawn, type DatasetEntry } from "../../problems/datasets/entry.ts";
import { datasets } from "../../problems/datasets/registry.ts";
import { locateDataset } from "../../platform/node/data.ts";
import { describeMachine, packageRoot } from "../../platform/node/machine.ts";
import { table } from "../shared/table.ts";
import { printJson, type Terminal } from "../shared/terminal.ts";

/** One thing a machine has or lacks. */
interface Finding {
  readonly name: string;
  /** `missing` matters for everybody; `absent` only for those who want it. */
  readonly status: "ok" | "absent" | "missing";
  readonly found: string;
  /** What to do where something is not there. */
  readonly remedy?: string | undefined;
}

/** Hidden: try one provider of the native engine in a process of its own. */
const probes = ["webgpu", "cuda", "coreml"] as const;
type Probe = (typeof probes)[number];

export function addDoctor(program: Command, terminal: Terminal): void {
  program
    .command("doctor")
    .description("Say what this machine offers, and what to do about what is missing.")
    .option("--json", "print one JSON document")
    .addOption(new Option("--probe <provider>").choices(probes).hideHelp())
    .action(async ({ json, probe }) => {
      if (probe !== undefined) {
        await tryEngine({ engine: "native", provider: probe });
        return;
      }
      const findings = await examine();
      if (json) printJson(terminal, findings);
      else terminal.out(describe(findings));
    });
}

async function examine(): Promise<Finding[]> {
  // One after the other: they compete for the same processor.
  const working: Finding[] = [];
  for (const name of engineNames) working.push(await checkEngine(name));
  return [
    await describeItself(),
    describeNode(),
    describeProcessor(),
    ...working,
    ...(await checkGpus()),
    { name: "data digits", status: "ok", found: "built in" },
    ...(await Promise.all(datasets.filter((dataset) => !isDrawn(dataset)).map(checkDataset))),
    await checkCache(),
    await checkPython(),
  ];
}

async function describeItself(): Promise<Finding> {
  const { version, commit, dirty } = await describeMachine();
  const from = commit === null ? "" : ` at ${commit.slice(0, 12)}${dirty ? ", with changes" : ""}`;
  return { name: "lucid-sam", status: "ok", found: `${version}${from}` };
}

function describeNode(): Finding {
  const recent = Number(process.versions.node.split(".")[0]) >= 24;
  return {
    name: "node",
    status: recent ? "ok" : "missing",
    found: process.version,
    remedy: recent ? undefined : "install Node 24 or newer: float64 needs it",
  };
}

function describeProcessor(): Finding {
  const memory = `${(totalmem() / 2 ** 30).toFixed(1)} GiB of memory`;
  const model = cpus()[0]?.model ?? process.arch;
  return {
    name: "processor",
    status: "ok",
    found: `${model}, ${availableParallelism()} threads, ${memory}`,
  };
}

/** Compile and take one step. */
async function tryEngine(options: EngineOptions): Promise<string> {
  const program = await compile(
    {
      carry: { dtype: "float32", shape: [2] },
      inputs: {},
      knobs: {},
      step: (carry) => ({ carry: np.multiply(carry as np.Array, 0.5), record: {} }),
    },
    options,
  );
  await program.run({ carry: zeros([2], "float32"), inputs: {}, knobs: {}, steps: 1 });
  await program.dispose();
  return program.device;
}

async function checkEngine(engine: EngineName): Promise<Finding> {
  const name = `engine ${engine}`;
  try {
    return { name, status: "ok", found: `works on ${await tryEngine({ engine })}` };
  } catch (error) {
    return { name, status: "missing", found: reasonOf(error), remedy: engines[engine].remedy };
  }
}

async function checkGpus(): Promise<Finding[]> {
  const { listSupportedBackends } = await loadRuntime();
  const built = listSupportedBackends().map(({ name }) => name);
  const wanted = probes.filter((provider) => built.includes(provider));
  if (wanted.length === 0) {
    return [{ name: "gpu", status: "absent", found: "ONNX Runtime has no GPU provider here" }];
  }
  return Promise.all(wanted.map(checkGpu));
}

/** What stands between this machine and a GPU. */
const gpuRemedies: { readonly [Provider in Probe]: string } = {
  webgpu: "install a GPU driver with Vulkan, if there is a GPU; everything runs without one",
  cuda: import.meta.url.endsWith(".ts")
    ? "with an NVIDIA GPU: ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js"
    : `with an NVIDIA GPU: ONNXRUNTIME_NODE_INSTALL=cuda12 npm install --prefix gpu onnxruntime-node@1.30.0 && cp gpu/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/*_providers_* ${join(packageRoot, "dist/onnxruntime/bin/napi-v6/linux/x64")}`,
  coreml: "CoreML comes with macOS",
};

/** In a process of its own: drivers write to stderr and may crash. */
async function checkGpu(provider: Probe): Promise<Finding> {
  const name = `gpu by ${provider}`;
  try {
    await run(process.execPath, [join(packageRoot, "bin/lucid.js"), "doctor", "--probe", provider]);
    return { name, status: "ok", found: "works" };
  } catch {
    return { name, status: "absent", found: "none usable", remedy: gpuRemedies[provider] };
  }
}

async function checkDataset(dataset: DatasetEntry): Promise<Finding> {
  const name = `data ${dataset.name}`;
  try {
    const folder = await locateDataset(dataset);
    if (folder !== undefined) return { name, status: "ok", found: folder };
    return {
      name,
      status: "absent",
      found: "not on this machine",
      remedy: `--data ${dataset.name} downloads it (${dataset.megabytes} MB); offline, put its files into LUCID_DATA=DIR`,
    };
  } catch (error) {
    return { name, status: "missing", found: reasonOf(error), remedy: "correct LUCID_DATA" };
  }
}

async function checkCache(): Promise<Finding> {
  const folder = cacheFolder();
  // It is made on first use, so what counts is the lowest folder that exists.
  let existing = folder;
  while (!(await can(existing, constants.F_OK)) && dirname(existing) !== existing) {
    existing = dirname(existing);
  }
  // Nothing can be made in what is no folder, whatever its permissions.
  const isFolder = await stat(existing).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  const writable = isFolder && (await can(existing, constants.W_OK | constants.X_OK));
  return {
    name: "cache folder",
    status: writable ? "ok" : "missing",
    found: writable ? folder : `${folder} cannot be written`,
    remedy: writable ? undefined : "set LUCID_CACHE to a folder that can be written",
  };
}

async function checkPython(): Promise<Finding> {
  const name = "python";
  const code =
    "import sys, importlib.util as u; print(sys.version.split()[0], *[m for m in ('torch', 'jax') if u.find_spec(m)])";
  try {
    const [version = "", ...packages] = (await run("python3", ["-c", code])).stdout
      .trim()
      .split(" ");
    const having = packages.length > 0 ? ` with ${packages.join(" and ")}` : "";
    return { name, status: "ok", found: `${version}${having} (only comparisons need it)` };
  } catch {
    return {
      name,
      status: "absent",
      found: "no python3",
      remedy: "nothing here needs it, only comparisons with PyTorch",
    };
  }
}

const run = promisify(execFile);

const can = (path: string, mode: number) =>
  access(path, mode).then(
    () => true,
    () => false,
  );

function describe(findings: readonly Finding[]): string {
  return table(
    findings.map(({ name, status, found, remedy }) => [
      status === "ok" ? "ok" : status === "absent" ? "–" : "!!",
      name,
      remedy === undefined ? found : `${found}: ${remedy}`,
    ]),
  );
}
