/**
 * A reporter for Stryker: a line of JSON for every change as soon as it was tested, in the file that
 * LUCID_MUTATE_LINES names. A series that is stopped has said by then what came through.
 */
import { appendFileSync } from "node:fs";

/** What Stryker says of a change that was tested. */
interface Tested {
  readonly fileName: string;
  readonly location: { readonly start: { readonly line: number } };
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly status: string;
}

/** The plugins of this module, as Stryker looks for them. */
export const strykerPlugins = [
  {
    kind: "Reporter",
    name: "lines",
    value: {
      onMutantTested({ fileName, location, mutatorName, replacement, status }: Tested): void {
        const place = `${fileName}:${location.start.line}`;
        const line = JSON.stringify({ status, place, mutatorName, replacement });
        appendFileSync(process.env["LUCID_MUTATE_LINES"] ?? "/dev/null", `${line}\n`);
      },
    },
  },
];
