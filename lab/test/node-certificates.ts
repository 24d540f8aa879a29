/** The certificates of `certificates.ts` as Node computes them, handed to the tests in the browser. */
import type { TestProject } from "vitest/node";
import { certifyEnd, createRunner, parseSpec } from "lucid-sam/run";
import { browserSources } from "../src/engine/sources.ts";
import { certified, printed } from "./certificates.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** What Node prints of each certificate, in their order. */
    nodeCertificates: string[];
  }
}

export default async function provideCertificates(project: TestProject): Promise<void> {
  const nowhere = { version: "", commit: null, dirty: null, runtime: "", platform: "" };
  const runner = createRunner({ sources: browserSources, machine: nowhere, engine: "native" });
  const all: string[] = [];
  for (const input of certified) {
    const spec = parseSpec(input);
    const outcome = await runner.run(spec);
    if (outcome.status !== "finished") throw new Error("invalid run: it did not finish");
    const certificate = await certifyEnd(spec, outcome.model, browserSources, { engine: "native" });
    if (certificate) all.push(printed(certificate));
  }
  await runner.dispose();
  project.provide("nodeCertificates", all);
}
