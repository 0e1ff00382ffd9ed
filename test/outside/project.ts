/** A folder as a user's project: Attune and what plugins need are installed, by links to this checkout. */
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { here } from "../faults/killed_runs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const installed = ["valibot", "onnxruntime-node", "@types/node", "undici-types"];

/** What tsc is told in such a project, as a strict user has it; declarations are made, since packages publish them. */
export const compilerOptions = {
  target: "ES2023",
  lib: ["ES2023", "WebWorker", "WebWorker.AsyncIterable"],
  module: "nodenext",
  strict: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
  allowImportingTsExtensions: true,
  resolveJsonModule: true,
  declaration: true,
  noEmit: true,
  skipLibCheck: true,
  types: ["node"],
};

/** Makes one. */
export function userProject(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `attune-${name}-`));
  const modules = join(folder, "node_modules");
  for (const one of installed) {
    mkdirSync(dirname(join(modules, one)), { recursive: true });
    symlinkSync(join(root, "node_modules", one), join(modules, one));
  }
  symlinkSync(root, join(modules, "attune"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name, private: true, type: "module" }));
  return folder;
}

/** Copies a package into a project and links it where it would be installed. */
export function addPackage(project: string, name: string, from: string): string {
  const folder = join(project, name);
  cpSync(from, folder, { recursive: true });
  symlinkSync(folder, join(project, "node_modules", name));
  return folder;
}

/** Checks the types of a project's files in one run of tsc; gives what it says. */
export function checkTypes(project: string, include: readonly string[]): SpawnSyncReturns<string> {
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include }));
  return spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", project], { encoding: "utf8" });
}

/** Programs of the runtime that this test runs in: one that runs a file, one that runs a file of tests. */
export const programs: Readonly<
  { run: readonly string[]; test: readonly string[]; testTogether: readonly string[] }
> = ({
  node: { run: ["node"], test: ["node", "--test"], testTogether: ["node", "--test", "--test-isolation=none"] },
  bun: { run: ["bun"], ...testedBy("bun", "test", "--timeout", "300000") },
  deno: { run: ["deno", "run", "-A", "--no-check"], ...testedBy("deno", "test", "-A", "--no-check") },
} as const)[here as "node"];

/** A command that takes all files into one process whatever it is told. */
function testedBy(...test: readonly string[]): Pick<typeof programs, "test" | "testTogether"> {
  return { test, testTogether: test };
}

/** Runs one of them in a folder. */
export function runIn(folder: string, [program = "", ...args]: readonly string[]): SpawnSyncReturns<string> {
  const env = { ...process.env, NO_COLOR: "1", NODE_TEST_CONTEXT: undefined };
  return spawnSync(join(root, "node_modules/.bin", program), args, { cwd: folder, encoding: "utf8", env });
}
