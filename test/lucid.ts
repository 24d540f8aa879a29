/** The command line in this process. */
import { main } from "../src/cli/main.ts";

/** Run a command; what it wrote, and its exit code. */
export async function lucid(...args: string[]) {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await main(["node", "lucid", ...args], {
    out: (text) => out.push(text),
    err: { write: (text) => err.push(text) },
  });
  return { code, out: out.join(""), err: err.join("") };
}
