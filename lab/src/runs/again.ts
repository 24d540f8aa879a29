/** Whether a stored run can be computed anew on this page. */
import { datasets, findProblem } from "lucid-sam/problems";
import type { RunSpec } from "lucid-sam/run";
import { mostSteps } from "../planes/fields.ts";

function entryOf({ problem }: RunSpec) {
  try {
    return findProblem(problem);
  } catch {
    // A later version may know it.
    return undefined;
  }
}

/** Whether a run is on a function of two variables. */
export const isPlane = (spec: RunSpec): boolean => entryOf(spec)?.kind === "plane";

/** Why a run cannot be computed on this page, in one line; `undefined` where it can. */
export function whyNotHere(spec: RunSpec): string | undefined {
  const entry = entryOf(spec);
  if (entry === undefined) return `${spec.problem} is no problem that this version knows.`;
  if (entry.data === "file") {
    return `${spec.problem} is a problem of one's own: it runs on the command line.`;
  }
  if (entry.kind === "plane" && spec.steps > mostSteps) {
    return `Planes shows at most ${mostSteps} steps: this run goes on on the command line.`;
  }
  const data = datasets.find(({ name }) => name === spec.data);
  if (data === undefined || Object.keys(data.files).length === 0) return undefined;
  return `${data.name} has files, which are not in this page: it runs on the command line.`;
}
