/** Fixtures of imports: folders that lucid_sam.export wrote, with PyTorch's own derivatives. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readSafetensors } from "../../src/engine/safetensors.ts";
import type { Tensor } from "../../src/engine/tensor.ts";
import { importFiles } from "../../src/problems/import/onnx/files.ts";
import { importedProblem, type ImportContents } from "../../src/problems/import/onnx/problem.ts";
import type { FloatType, Problem } from "../../src/problems/problem.ts";

export const fixtures = join(import.meta.dirname, "fixtures");

/** Names of all fixtures. */
export const fixtureNames = readdirSync(fixtures).sort();

const read = (name: string, file: string) =>
  new Uint8Array(readFileSync(join(fixtures, name, file)));

export function fixtureContents(name: string): ImportContents {
  const { loss, train, point, batch } = importFiles;
  return {
    loss: read(name, loss),
    train: existsSync(join(fixtures, name, train)) ? read(name, train) : undefined,
    point: read(name, point),
    batch: read(name, batch),
  };
}

export const fixtureProblem = (name: string, dtype: FloatType): Problem =>
  importedProblem(fixtureContents(name), name, dtype);

/** What PyTorch computed there: tensors by name. */
export const expectedOf = (name: string): Readonly<Record<string, Tensor>> =>
  readSafetensors(read(name, "expected.safetensors"), name).tensors;
