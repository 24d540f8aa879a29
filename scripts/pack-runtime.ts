/**
 * ONNX Runtime inside the built package: what `onnxruntime-node` needs to run on every platform,
 * and nothing else of it. As a dependency it would bring a script that downloads GPU libraries
 * from a host other than the npm registry, and fails the whole installation where that is not
 * reached.
 */
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The same file twice, and an execution provider that this package does not offer. */
const unused = /^(libonnxruntime\.\d+\.\d+\.\d+\.dylib|DirectML\.dll)$/;
const wanted = /\.(js|d\.ts|node|dll|dylib|so\.1)$/;

/** Put the runtime of the installed `onnxruntime-node` into a folder, in place of what is there. */
export async function packRuntime(target: string): Promise<void> {
  const source = dirname(dirname(fileURLToPath(import.meta.resolve("onnxruntime-node"))));
  const licenses = resolve(import.meta.dirname, "../licenses/onnxruntime");
  await rm(target, { recursive: true, force: true });

  const files = await Promise.all(
    ["dist", "bin"].map((folder) =>
      readdir(join(source, folder), { recursive: true, withFileTypes: true }),
    ),
  );
  for (const entry of files.flat()) {
    if (!entry.isFile() || !wanted.test(entry.name) || unused.test(entry.name)) continue;
    const file = join(entry.parentPath, entry.name);
    await copy(file, join(target, relative(source, file)));
  }
  for (const name of await readdir(licenses)) await copy(join(licenses, name), join(target, name));

  const { name, version, license, main } = JSON.parse(
    await readFile(join(source, "package.json"), "utf8"),
  ) as { [field: string]: unknown };
  // Without "type": its modules are CommonJS. Without "scripts": nothing is downloaded.
  await writeFile(
    join(target, "package.json"),
    `${JSON.stringify({ name, version, license, main }, null, 2)}\n`,
  );
}

async function copy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
}
