/** Every reader of files, with an undamaged file and what guards its numbers. */
import { createHash } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join, relative, sep } from "node:path";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { zipSync } from "fflate";
import { certificateSchema } from "../../src/diagnostics/certificate/certificate.ts";
import { crc32c } from "../../src/engine/crc32.ts";
import { InputError } from "../../src/engine/errors.ts";
import { readNpy, readNpz } from "../../src/engine/npz.ts";
import { readSafetensors, writeSafetensors } from "../../src/engine/safetensors.ts";
import { tensor } from "../../src/engine/tensor.ts";
import { loadDataset } from "../../src/platform/node/data.ts";
import { describeMachine } from "../../src/platform/node/machine.ts";
import { takeLock } from "../../src/platform/node/lock.ts";
import { filesInMemory } from "../../src/platform/files.ts";
import { datasets } from "../../src/problems/datasets/registry.ts";
import { readIdx } from "../../src/problems/datasets/idx.ts";
import { parseCsv } from "../../src/problems/table.ts";
import { recognize, type Found } from "../../src/read/recognize.ts";
import type { StoredStudy } from "../../src/read/study.ts";
import { createLogScreen } from "../../src/run/logs/log-screen.ts";
import { readLog } from "../../src/run/logs/read-log.ts";
import type { LogEntry } from "../../src/run/logs/rows.ts";
import { nodeSources } from "../../src/run/node-sources.ts";
import { formatChecked } from "../../src/run/checked.ts";
import { createRunner } from "../../src/run/run.ts";
import { parseSpec } from "../../src/run/spec.ts";
import type { TrainingState } from "../../src/sam/training/state.ts";
import { parseSchedule, valueAt } from "../../src/settings/schedules.ts";
import { prepareEvaluation } from "../../src/sam/training/evaluation.ts";
import { continueRunFolder, createRunFolder, readRunFolder } from "../../src/store/run-folder.ts";
import { readStudyFile } from "../../src/store/study-file.ts";
import { openStudyFolder, readStudyFolder } from "../../src/store/study-folder.ts";
import { packStudy } from "../../src/store/study-pack.ts";
import { studyStatus } from "../../src/study/status.ts";
import { expandStudy, parseStudy } from "../../src/study/study.ts";
import { lucid } from "../lucid.ts";
import type { Kind } from "./damage.ts";

/** A reader and a file for it. */
export interface Reader {
  readonly name: string;
  readonly kind: Kind;
  /**
   * What guards the numbers in its files; `undefined`: nothing does, and a damaged file that is
   * still one of its kind is read as what it says.
   */
  readonly guard?: string;
  readonly content: Uint8Array;
  /** How often its turn comes; default 10. */
  readonly weight?: number;
  /** What the reader makes of damaged bytes; refusals are thrown, and name `file`. */
  readonly read: (bytes: Uint8Array) => Promise<unknown>;
  /** Part of what refusals must name. */
  readonly file?: string;
  /**
   * What of the undamaged content may be missing without being another: lines at the end of a
   * history, which a crash may cut; any rows, whose cells then run again.
   */
  readonly missing?: "end" | "any";
}

/** Everything of a stored study; rows by themselves, where the rest is not asked for. */
async function readAll(stored: Pick<StoredStudy, "study" | "engine" | "cells" | "rows">) {
  const rows = [];
  for await (const row of stored.rows()) rows.push(row);
  const { cells } = stored;
  const status = await studyStatus(cells, rows);
  return { study: stored.study, engine: stored.engine, cells, rows, repeated: status.repeated };
}

/** A folder that is put back before every reading. */
function folderReader(
  whole: string,
  file: string,
  read: (folder: string) => Promise<unknown>,
): Pick<Reader, "content" | "read" | "file"> {
  const at = `${whole}-damaged`;
  return {
    content: new Uint8Array(readFileSync(join(whole, file))),
    file: basename(file),
    async read(bytes) {
      rmSync(at, { recursive: true, force: true });
      cpSync(whole, at, { recursive: true });
      writeFileSync(join(at, file), bytes);
      return read(at);
    },
  };
}

/** A file of its own, under a new name each time: modules are read once. */
function fileReader(
  folder: string,
  name: string,
  content: string | Uint8Array,
  read: (path: string) => Promise<unknown>,
): Pick<Reader, "content" | "read" | "file"> {
  return {
    content: typeof content === "string" ? new TextEncoder().encode(content) : content,
    file: name,
    async read(bytes) {
      const path = join(mkdtempSync(join(folder, "file-")), name);
      writeFileSync(path, bytes);
      try {
        return await read(path);
      } finally {
        rmSync(dirname(path), { recursive: true });
      }
    },
  };
}

/** A folder that was dropped on a page, with one of its files damaged: held in memory. */
function droppedReader(
  whole: string,
  file: string,
  read: (found: Found) => Promise<unknown>,
): Pick<Reader, "content" | "read" | "file" | "weight"> {
  const entries = readdirSync(whole, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const at = join(entry.parentPath, entry.name);
      return {
        path: relative(whole, at).replaceAll(sep, "/"),
        bytes: new Uint8Array(readFileSync(at)),
      };
    });
  return {
    content: new Uint8Array(readFileSync(join(whole, file))),
    file: basename(file),
    weight: 4,
    async read(bytes) {
      const damaged = files.map(({ path, bytes: own }) => ({
        path: `dropped/${path}`,
        bytes: path === file ? new Uint8Array(bytes) : own,
      }));
      const all = await recognize(filesInMemory(damaged));
      const found = all.find(({ files }) => files.includes(`dropped/${file}`));
      if (found === undefined) throw new Error(`${file} is lost`);
      if (found.kind === "unknown") throw new InputError(found.reason);
      return read(found);
    },
  };
}

/** What a page reads, as values that can be compared. */
async function dropped(found: Found): Promise<unknown> {
  if (found.kind === "study") {
    const { cells, ...rest } = await readAll(await found.read());
    // Their order says nothing.
    return { ...rest, cells: byName(cells.map((cell) => [cell.id, cell])) };
  }
  if (found.kind === "run" || found.kind === "log" || found.kind === "landscape") {
    return found.read();
  }
  if (found.kind === "certificate" || found.kind === "point") return found.read();
  throw new Error(`a page takes it for ${found.kind}`);
}

/** An .npy file of float64 numbers. */
function npy(values: readonly number[]): Uint8Array {
  const text = `{'descr': '<f8', 'fortran_order': False, 'shape': (${values.length},), }`;
  const header = `${text.padEnd(117)}\n`;
  const begin = Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, header.length & 255, 0]);
  const data = Buffer.from(Float64Array.from(values).buffer);
  return new Uint8Array(Buffer.concat([begin, Buffer.from(header, "latin1"), data]));
}

/** Prepare the files of all readers in a folder. */
export async function prepareReaders(folder: string): Promise<readonly Reader[]> {
  const at = (name: string) => join(folder, name);
  const text = (content: string) => new TextEncoder().encode(content);

  const numbers = Array.from({ length: 40 }, (_, i) => Math.sin(i) * 10 ** (i % 5));
  const tree = {
    a: tensor(numbers, [8, 5], "float64"),
    b: { c: tensor([1, 2, 3], [3], "int32"), d: tensor([0.5], [], "float32") },
  };
  const idx = Uint8Array.from([
    0,
    0,
    8,
    3,
    0,
    0,
    0,
    2,
    0,
    0,
    0,
    3,
    0,
    0,
    0,
    4,
    ...numbers.slice(0, 24),
  ]);
  // As PyTorch's users write it: without our checksum.
  const foreign = foreignSafetensors(numbers);

  await lucid(
    "train",
    "--problem",
    "cosine",
    "--rho",
    "1",
    "--steps",
    "60",
    "--out",
    at("finished"),
  );
  const start = await stopHalfway(at("stopped"));
  const study = {
    name: "s",
    fixed: { problem: "cosine" },
    axes: { rho: [0.5, 1] },
    seeds: 2,
    steps: 20,
    keep: true,
  };
  writeFileSync(at("study.json"), JSON.stringify(study));
  cpSync(join(import.meta.dirname, "../import/fixtures/mlp"), at("imported"), { recursive: true });
  await lucid("sweep", at("study.json"), "--workers", "1", "--out", at("sweep"));
  const stored = await readStudyFolder(at("sweep"));
  await packStudy(at("sweep.jsonl.gz"), stored);
  const cell = stored.cells[0]?.id ?? "";
  const certificate = await lucid(
    "certify",
    "--problem",
    "cosine",
    "--rho",
    "4",
    "--point",
    "2,0",
    "--steps",
    "20",
    "--json",
  );
  mkdirSync(at("lone"));
  writeFileSync(at("lone/certificate.json"), certificate.out);
  cpSync(at("sweep.jsonl.gz"), at("lone/s.jsonl.gz"));
  cpSync(at("finished/final.safetensors"), at("lone/point.safetensors"));
  cpSync(at("finished/metrics.jsonl"), at("lone/metrics.jsonl"));
  const place = (x: number) => ({ place: [x], loss: x * x, shiftedLoss: 2 * x, cosine: null });
  writeFileSync(
    at("lone/landscape.jsonl"),
    [
      { format: 1, point: "00", axes: ["01"], rho: 1, dtype: "float64", problem: "cosine" },
      ...[-1, -0.5, 0, 0.5, 1].map(place),
    ]
      .map((line) => `${formatChecked(line)}\n`)
      .join(""),
  );
  const [dataset] = datasets.filter(({ files }) => Object.keys(files).length > 0);
  if (dataset === undefined) throw new Error("no data set with files");

  const ofRun = (path: string) => readRunFolder(path);
  const resumed = async (path: string) => {
    const { folder, rows, from } = await continueRunFolder(path, 10);
    await folder.close();
    return { rows, from: from?.(start) };
  };
  const table =
    "length,width,kind\n" + numbers.map((x, i) => `${x},${i},${i % 3 ? "a" : "b"}\n`).join("");
  const module = `import { defineProblem } from "lucid-sam/problems";
export default ({ table, dtype }) => defineProblem({
  dtype,
  train: { x: [[0], [1], [2]], y: [1, 3, 5] },
  init: (random) => random.dense(1, 1),
  forward: (layer, { x, y }) => ({ losses: x.sub(y.reshape([-1, 1])).sum(1) }),
});
`;

  const rows = Array.from({ length: 60 }, (_, i) => ({
    step: 10 * i,
    loss: 2.3 - 0.3 * Math.exp(-i / 5),
    shiftedLoss: 4 + Math.sin(i),
    gradNorm: 0.02 + 0.01 / (1 + i),
    shiftedGradNorm: 1.5,
    cosine: -0.2,
  }));
  const logOf = (entries: readonly object[]) =>
    entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
  const header = { lucid: 1, evidence: "probe", rho: 2, every: 10, dtype: "float32" };
  const values = rows.map((row) => Object.values(row).join());
  const csv = `${Object.keys(rows[0] ?? {}).join()}\n${values.join("\n")}\n`;

  return [
    {
      name: "safetensors, ours",
      kind: "binary",
      guard: "CRC-32",
      content: writeSafetensors(tree),
      read: async (bytes) => readSafetensors(bytes, "x.safetensors").tensors,
      file: "x.safetensors",
    },
    {
      name: "safetensors of others",
      kind: "binary",
      content: foreign,
      read: async (bytes) => readSafetensors(bytes, "x.safetensors").tensors,
      file: "x.safetensors",
    },
    {
      name: "npy",
      kind: "binary",
      content: npy(numbers),
      read: async (bytes) => readNpy(bytes, "x.npy"),
      file: "x.npy",
    },
    {
      name: "npz",
      kind: "binary",
      guard: "CRC-32 of each member",
      content: zipSync({ "a.npy": npy(numbers), "b.npy": npy([1, 2]) }),
      read: async (bytes) => readNpz(bytes, { name: "x.npz" }),
      file: "x.npz",
    },
    {
      name: "IDX",
      kind: "binary",
      content: idx,
      read: async (bytes) => readIdx(bytes, 3, "x-idx3-ubyte"),
      file: "x-idx3-ubyte",
    },
    {
      name: "data set",
      kind: "binary",
      guard: "SHA-256",
      ...fileReader(folder, "x-idx3", idx, (path) =>
        loadDataset(
          {
            ...dataset,
            name: "attacked",
            mirrors: [],
            files: { "x-idx3": createHash("sha256").update(idx).digest("hex") },
            read: (files) => files["x-idx3"] as never,
          },
          { n: 1, options: {} },
          { environment: { LUCID_DATA: dirname(path), LUCID_CACHE: at("cache") } },
        ),
      ),
    },
    {
      name: "study file, JSON",
      kind: "json",
      ...fileReader(folder, "study.json", JSON.stringify(study), async (path) =>
        expandStudy(await readStudyFile(path)),
      ),
    },
    {
      name: "packed study",
      kind: "binary",
      guard: "CRC-32 of gzip",
      ...fileReader(
        folder,
        "s.jsonl.gz",
        new Uint8Array(readFileSync(at("sweep.jsonl.gz"))),
        async (path) => {
          const pack = await readStudyFolder(path);
          return { ...(await readAll(pack)), history: await pack.history(cell) };
        },
      ),
    },
    {
      name: "run: config.json",
      kind: "json",
      guard: "CRC-32",
      ...folderReader(at("finished"), "config.json", ofRun),
    },
    {
      name: "run: result.json",
      kind: "json",
      guard: "CRC-32",
      ...folderReader(at("finished"), "result.json", ofRun),
    },
    {
      name: "run: metrics.jsonl, finished",
      kind: "lines",
      guard: "CRC-32 of each line",
      missing: "end",
      ...folderReader(at("finished"), "metrics.jsonl", async (path) => (await ofRun(path)).rows),
    },
    {
      name: "run: final.safetensors",
      kind: "binary",
      guard: "CRC-32",
      ...fileReader(
        folder,
        "final.safetensors",
        new Uint8Array(readFileSync(at("finished/final.safetensors"))),
        async (path) => readSafetensors(new Uint8Array(readFileSync(path)), path).tensors,
      ),
    },
    {
      name: "run: checkpoint",
      kind: "binary",
      guard: "CRC-32",
      ...folderReader(at("stopped"), "checkpoint.safetensors", resumed),
    },
    {
      name: "run: metrics.jsonl, stopped",
      kind: "lines",
      guard: "CRC-32 of each line",
      ...folderReader(at("stopped"), "metrics.jsonl", resumed),
    },
    {
      name: "study: study.json",
      kind: "json",
      guard: "CRC-32",
      ...folderReader(at("sweep"), "study.json", async (path) =>
        readAll(await readStudyFolder(path)),
      ),
      // The number of cells in it is compared with the file of cells.
      file: "sweep-damaged",
    },
    {
      name: "study: cells.jsonl",
      kind: "lines",
      guard: "CRC-32 of each line",
      ...folderReader(at("sweep"), "cells.jsonl", async (path) =>
        byName((await readStudyFolder(path)).cells.map((cell) => [cell.id, cell])),
      ),
    },
    {
      name: "study: rows.jsonl",
      kind: "lines",
      guard: "CRC-32 of each line",
      missing: "any",
      ...folderReader(at("sweep"), "rows.jsonl", async (path) =>
        byName((await readAll(await readStudyFolder(path))).rows.map((row) => [row.cell, row])),
      ),
    },
    {
      name: "study: a history",
      kind: "lines",
      guard: "CRC-32 of each line",
      missing: "end",
      ...folderReader(at("sweep"), `metrics/${cell}.jsonl`, async (path) =>
        (await readStudyFolder(path)).history(cell),
      ),
    },
    {
      name: "study: opened to go on",
      kind: "lines",
      guard: "CRC-32 of each line",
      missing: "any",
      ...folderReader(at("sweep"), "rows.jsonl", async (path) => {
        const config = { study: parseStudy(study), engine: "auto" } as const;
        const open = await openStudyFolder(path, config, await expandStudy(config.study));
        const finished = [...open.finished].sort();
        await open.close();
        return byName(finished.map((id) => [id, id]));
      }),
    },
    { name: "lock", kind: "json", weight: 2, ...lockReader(folder) },
    {
      name: "spec",
      kind: "json",
      content: text(
        JSON.stringify(parseSpec({ problem: "cosine", rho: "cosine(1, 0)", start: [2, 0.5] })),
      ),
      read: async (bytes) => parseSpec(asJson(bytes)),
    },
    {
      name: "schedule",
      kind: "text",
      content: text("cosine(0.1, 0.01)"),
      read: async (bytes) => {
        const schedule = parseSchedule(new TextDecoder().decode(bytes));
        const value = valueAt(schedule, 3, 10);
        if (typeof value !== "number") throw new Error(`a schedule gives ${String(value)}`);
        return value;
      },
    },
    {
      name: "certificate",
      kind: "json",
      content: text(certificate.out),
      read: async (bytes) => {
        const parsed = certificateSchema.safeParse(asJson(bytes));
        if (!parsed.success) throw new InputError("invalid certificate");
        return parsed.data;
      },
    },
    {
      name: "table, CSV",
      kind: "text",
      ...fileReader(folder, "x.csv", table, async (path) => {
        const read = parseCsv(readFileSync(path, "utf8"), "x.csv");
        return [read.numbers("length", "width"), read.labels("kind")];
      }),
    },
    {
      name: "log, a run's own",
      kind: "lines",
      weight: 5,
      ...fileReader(
        folder,
        "metrics.jsonl",
        new Uint8Array(readFileSync(at("finished/metrics.jsonl"))),
        screened,
      ),
    },
    {
      name: "log, a recorder's",
      kind: "lines",
      weight: 5,
      ...fileReader(folder, "lucid.jsonl", logOf([header, ...rows]), screened),
    },
    {
      name: "log, CSV",
      kind: "text",
      weight: 5,
      ...fileReader(folder, "metrics.csv", csv, screened),
    },
    {
      name: "log, TensorBoard events",
      kind: "binary",
      weight: 5,
      guard: "CRC-32C of each record",
      // Records may be lost or there twice, as after a rotation; none may say anything else.
      missing: "any",
      ...fileReader(folder, "events.out.tfevents.0.host", eventsOf(rows), async (path) => {
        const { entries } = await screened(path);
        return byName(entries.map((entry) => ["row" in entry ? `${entry.row.step}` : "", entry]));
      }),
    },
    {
      name: "problem file",
      kind: "text",
      weight: 1,
      ...fileReader(folder, "own.mjs", module, async (path) => {
        const { train } = await nodeSources().problem(path, undefined, "float32");
        return train;
      }),
    },
    ...(["loss.onnx", "point.safetensors", "batch.safetensors"] as const).map((file) => ({
      name: `imported network: ${file}`,
      kind: "binary" as const,
      weight: file === "loss.onnx" ? 3 : 1,
      ...folderReader(at("imported"), file, async (path) => {
        const problem = await nodeSources().problem(path, undefined, "float32");
        const evaluation = prepareEvaluation(problem, { engine: "native" });
        const model = { params: problem.init(0), statistics: {} };
        try {
          return {
            model,
            train: problem.train,
            result: await evaluation.evaluate(model, problem.train),
          };
        } finally {
          await evaluation.dispose();
        }
      }),
      // What does not fit together is said of either file.
      file: "imported-damaged",
    })),
    ...(
      [
        ["finished", "config.json", "json", "CRC-32"],
        ["finished", "result.json", "json", "CRC-32"],
        ["sweep", "study.json", "json", "CRC-32"],
        ["sweep", "cells.jsonl", "lines", "CRC-32 of each line"],
        ["lone", "s.jsonl.gz", "binary", "CRC-32 of gzip"],
        ["lone", "point.safetensors", "binary", "CRC-32"],
        ["lone", "certificate.json", "json", undefined],
        ["lone", "metrics.jsonl", "lines", undefined],
      ] as const
    ).map(([folder, file, kind, guard]) => ({
      name: `dropped: ${folder}/${file}`,
      kind,
      ...(guard && { guard }),
      ...droppedReader(at(folder), file, dropped),
      // The number of cells in study.json is compared with the file of cells.
      ...(file === "study.json" && { file: "dropped" }),
    })),
    {
      name: "dropped: finished/metrics.jsonl",
      kind: "lines",
      guard: "CRC-32 of each line",
      missing: "end",
      ...droppedReader(at("finished"), "metrics.jsonl", async (found) =>
        found.kind === "run" ? (await found.read()).rows : dropped(found),
      ),
    },
    {
      name: "dropped: lone/landscape.jsonl",
      kind: "lines",
      guard: "CRC-32 of each line",
      missing: "any",
      ...droppedReader(at("lone"), "landscape.jsonl", async (found) => {
        if (found.kind !== "landscape") return dropped(found);
        const { identity, places } = await found.read();
        return { identity, ...byName(places.map((place) => [String(place.place), place])) };
      }),
    },
    {
      name: "dropped: sweep/rows.jsonl",
      kind: "lines",
      guard: "CRC-32 of each line",
      missing: "any",
      ...droppedReader(at("sweep"), "rows.jsonl", async (found) => {
        if (found.kind !== "study") return dropped(found);
        const { rows } = await readAll(await found.read());
        return byName(rows.map((row) => [row.cell, row]));
      }),
    },
    {
      name: "dropped: a history",
      kind: "lines",
      guard: "CRC-32 of each line",
      missing: "end",
      ...droppedReader(at("sweep"), `metrics/${cell}.jsonl`, async (found) =>
        found.kind === "study" ? (await found.read()).history(cell) : dropped(found),
      ),
    },
    ...(["loss.onnx", "point.safetensors", "batch.safetensors"] as const).map((file) => ({
      name: `dropped: imported/${file}`,
      kind: "binary" as const,
      ...droppedReader(at("imported"), file, async (found) => {
        if (found.kind !== "problem") return dropped(found);
        const problem = await found.read("float32");
        return { train: problem.train, params: problem.init(0) };
      }),
      file: "dropped",
    })),
    {
      name: "figure of a study",
      kind: "lines",
      weight: 0.2,
      guard: "CRC-32 of each line",
      ...folderReader(
        at("sweep"),
        `metrics/${readdirSync(at("sweep/metrics"))[0] ?? ""}`,
        async (path) => {
          const { code, err } = await lucid(
            "figure",
            "loss",
            path,
            "--out",
            join(path, "x.svg"),
            "--data",
            join(path, "x.json"),
          );
          if (code === 2) throw new InputError(err.trimEnd());
          if (code !== 0) throw new Error(err);
          const numbers = JSON.parse(readFileSync(join(path, "x.json"), "utf8")) as Drawn[];
          return byName(
            numbers.map((drawn) => [[drawn.rho, drawn.seed, drawn.step].join(), drawn]),
          );
        },
      ),
      missing: "any",
    },
  ];
}

/** What `lucid screen` makes of a log: its entries, and what it says of them. */
async function screened(path: string) {
  const entries: LogEntry[] = [];
  const screen = createLogScreen();
  await readLog(path, {
    onEntries(more) {
      entries.push(...more);
      screen.push(more);
    },
  });
  screen.end();
  return { entries, verdict: screen.verdict, warning: screen.warning };
}

/** An event file: records of a length, a checksum of it, an Event with scalars, a checksum of that. */
function eventsOf(rows: readonly { readonly step: number }[]): Uint8Array {
  const masked = (bytes: Uint8Array) => {
    const crc = crc32c(bytes);
    return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  };
  const records = rows.map(({ step, ...values }) => {
    const summary = new BinaryWriter();
    for (const [name, value] of Object.entries(values) as [string, number][]) {
      summary.tag(1, WireType.LengthDelimited).fork();
      summary.tag(1, WireType.LengthDelimited).string(name);
      summary.tag(2, WireType.Bit32).float(value).join();
    }
    const event = new BinaryWriter().tag(2, WireType.Varint).int64(step);
    const content = event.tag(5, WireType.LengthDelimited).bytes(summary.finish()).finish();
    const record = Buffer.alloc(content.length + 16);
    record.writeBigUInt64LE(BigInt(content.length));
    record.writeUInt32LE(masked(record.subarray(0, 8)), 8);
    record.set(content, 12);
    record.writeUInt32LE(masked(content), content.length + 12);
    return record;
  });
  return new Uint8Array(Buffer.concat(records));
}

/** What a figure is drawn from. */
interface Drawn {
  readonly rho: number;
  readonly seed: number;
  readonly step: number;
}

const byName = (entries: readonly (readonly [string, unknown])[]) =>
  Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));

function asJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new InputError("invalid JSON");
  }
}

/** The lock of a process that is gone. */
function lockReader(folder: string): Pick<Reader, "content" | "read" | "file"> {
  const at = join(folder, "locked");
  const holder = {
    pid: 2 ** 22 + 1,
    host: hostname(),
    since: "2026-01-01T00:00:00.000Z",
    process: null,
  };
  return {
    content: new TextEncoder().encode(JSON.stringify(holder)),
    async read(bytes) {
      rmSync(at, { recursive: true, force: true });
      mkdirSync(at);
      writeFileSync(join(at, "lock-x.json"), bytes);
      await (await takeLock(at)).release();
      return readdirSync(at);
    },
  };
}

function foreignSafetensors(numbers: readonly number[]): Uint8Array {
  const header = {
    a: { dtype: "F64", shape: [numbers.length], data_offsets: [0, 8 * numbers.length] },
  };
  const json = JSON.stringify(header);
  const padded = json.padEnd(Math.ceil(json.length / 8) * 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const data = Buffer.from(Float64Array.from(numbers).buffer);
  return new Uint8Array(Buffer.concat([length, Buffer.from(padded), data]));
}

/** A run that was stopped, and the state it began with. */
async function stopHalfway(path: string): Promise<TrainingState> {
  const spec = parseSpec({ problem: "himmelblau", rho: 1, steps: 60 });
  const machine = await describeMachine();
  const config = { spec, engine: "native", threads: 1, recordEvery: 1, version: "0" } as const;
  const run = await createRunFolder(path, config, 0);
  const runner = createRunner({ machine, sources: nodeSources(), engine: "native" });
  const enough = new AbortController();
  const outcome = await runner.run(spec, {
    recordEvery: 1,
    signal: enough.signal,
    async onChunk(chunk) {
      await run.append(chunk.rows);
      enough.abort();
    },
  });
  await run.save(outcome.checkpoint);
  await run.close();
  await runner.dispose();
  return outcome.checkpoint.state;
}
