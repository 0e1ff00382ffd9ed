/**
 * Runs the tests on Node, two files at once, then on Bun and Deno side by side, which take one file after the other:
 * `npm test`, `npm test -- --runtime node core/graph`.
 */
import { spawn } from "node:child_process";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runtime: { type: "string" }, slow: { type: "boolean", default: false } },
});
const pattern = values.slow ? "test/slow/**/*_test.ts" : "test/**/*_test.ts";
const files = globSync(pattern, { cwd: root }).filter((file) => values.slow || !file.startsWith("test/slow/"))
  .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part))).sort();
if (files.length === 0) {
  console.error(
    `no file of ${pattern} has ${positionals.map((part) => JSON.stringify(part)).join(" or ")} in its path`,
  );
  process.exit(2);
}
/** Where tests leave their files: gone when they end. */
const temporary = mkdtempSync(join(tmpdir(), "attune-tests-"));
const bin = (name: string): string => `${root}node_modules/.bin/${name}`;

type Counts = { passed: number; failed: number; skipped: number };
type Runtime = Readonly<{ command: readonly string[]; count: (output: string) => Counts }>;

const sum = (text: string, find: RegExp): number => [...text.matchAll(find)].reduce((n, m) => n + Number(m[1]), 0);
const runtimes: Readonly<Record<string, Runtime>> = {
  node: {
    command: [bin("node"), "--test", "--test-concurrency=2", "--test-reporter=spec", ...files],
    count: (text) => ({
      passed: sum(text, /^ℹ pass (\d+)/gm),
      failed: sum(text, /^ℹ fail (\d+)/gm) + sum(text, /^ℹ cancelled (\d+)/gm),
      skipped: sum(text, /^ℹ skipped (\d+)/gm),
    }),
  },
  bun: {
    command: [bin("bun"), "test", "--timeout", values.slow ? "1800000" : "300000", ...files.map((f) => `./${f}`)],
    count: (text) => ({
      passed: sum(text, /^ (\d+) pass/gm),
      failed: sum(text, /^ (\d+) fail/gm),
      skipped: sum(text, /^ (\d+) skip/gm),
    }),
  },
  deno: {
    command: [bin("deno"), "test", "-A", "--no-check", ...files],
    count: (text) => ({
      passed: sum(text, /\| (\d+) passed/gm) + sum(text, /passed \((\d+) steps?\)/gm),
      failed: sum(text, /\| (\d+) failed/gm) + sum(text, /failed \((\d+) steps?\)/gm),
      skipped: sum(text, /\| (\d+) ignored/gm),
    }),
  },
};

/** Runs one runtime's tests; everything it prints is kept, and shown where something failed. */
async function run(name: string, { command, count }: Runtime): Promise<Counts> {
  const [program = "", ...args] = command;
  const start = performance.now();
  const child = spawn(program, args, {
    cwd: root,
    // Counts are read from what is printed; any FORCE_COLOR at all makes Deno colour it.
    env: {
      ...process.env,
      NO_COLOR: "1",
      FORCE_COLOR: undefined,
      TMPDIR: temporary,
      // Nothing is there that was made before, nor is the user's cache filled; what one file compiles, the next has.
      ATTUNE_CACHE: join(temporary, `${name}-cache`),
      NODE_COMPILE_CACHE: join(temporary, "node"),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  const counts = count(output);
  // A crash counts as a failure even where no test said so, and so does a run that found none.
  if ((code !== 0 && counts.failed === 0) || counts.passed + counts.skipped === 0) counts.failed++;
  if (counts.failed > 0) process.stdout.write(`${output}\n`);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  process.stdout.write(
    `${name.padEnd(6)} ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${seconds} s\n`,
  );
  return counts;
}

process.on("exit", () => rmSync(temporary, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
for (const together of [["node"], ["bun", "deno"]]) {
  const wanted = together.filter((name) => values.runtime === undefined || values.runtime === name);
  const all = await Promise.all(wanted.map(async (name) => await run(name, runtimes[name] as Runtime)));
  for (const counts of all) for (const key of ["passed", "failed", "skipped"] as const) total[key] += counts[key];
}
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
