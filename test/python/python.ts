/** Python for tests: the interpreter of LUCID_PYTHON, or one here that has torch. */
import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";

const candidates = [process.env["LUCID_PYTHON"] ?? [], "python3", "/usr/bin/python3"].flat();

/** An interpreter that has torch; `undefined` where there is none. */
export const python = candidates.find((interpreter) => {
  try {
    execFileSync(interpreter, ["-c", "import torch"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});

if (python === undefined) {
  console.warn(
    "skipped: no Python with torch here (apt-get install python3-torch, or set LUCID_PYTHON)",
  );
}

/** What a script prints. */
export async function runPython(script: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(python ?? "", [script, ...args], {
    maxBuffer: 1e8,
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1", OMP_NUM_THREADS: "1" },
  });
  return stdout;
}
