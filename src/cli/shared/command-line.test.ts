import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { commandLine } from "./command-line.ts";

test("a command line has the words that a shell takes it for", () => {
  const words = [
    "train",
    "--resume",
    "a b",
    "it's",
    "$HOME",
    "",
    "*",
    "né#%?",
    "--set=rho:0.1",
    "x\ny",
  ];
  const line = commandLine(...words);
  expect(line).toMatch(/^npx lucid train --resume 'a b' /);
  const script = `npx() { printf '%s\\0' "$@"; }; ${line}`;
  const seen = execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\0").slice(0, -1);
  expect(seen).toEqual(["lucid", ...words]);
});

test("words that need no quotes have none", () => {
  expect(commandLine("sweep", "rerun", "sweeps/figure-5", "--failed")).toBe(
    "npx lucid sweep rerun sweeps/figure-5 --failed",
  );
});
