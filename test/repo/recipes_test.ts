/** What all recipes keep: importing one does nothing, and those that programs call reach no machine. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const files = readdirSync(join(root, "recipes"), { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts")
).sort();
// Deno finds packages by the configuration of what it is started with, which lies elsewhere.
const deno = ["run", "-A", "--no-check", "--config", join(root, "deno.json")];
const runtime = "Bun" in globalThis ? ["run"] : "Deno" in globalThis ? deno : [];

describe("recipes", () => {
  it("do nothing when they are imported", () => {
    const folder = mkdtempSync(join(tmpdir(), "attune-imports-"));
    const urls = files.map((file) => pathToFileURL(join(root, "recipes", file)).href);
    writeFileSync(
      join(folder, "imports.mjs"),
      `import process from "node:process";
const events = ["uncaughtException", "unhandledRejection", "SIGINT", "SIGTERM", "beforeExit"];
const listeners = () => events.map((event) => process.listenerCount(event));
const before = listeners();
for (const url of ${JSON.stringify(urls)}) await import(url);
console.log(JSON.stringify({ before, after: listeners(), code: process.exitCode ?? 0 }));
`,
    );
    // As a recipe that runs would read it.
    const args = [...runtime, join(folder, "imports.mjs"), "--output", "made", "--help"];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
    assert.equal(stderr, "");
    assert.equal(status, 0);
    const { before, after, code } = JSON.parse(stdout);
    assert.deepEqual(after, before);
    assert.equal(code, 0);
    assert.deepEqual(readdirSync(folder), ["imports.mjs"]);
    rmSync(folder, { recursive: true });
  });

  it("are functions, and hand themselves to the command line where they are started", () => {
    const text = (file: string): string => readFileSync(join(root, "recipes", file), "utf8");
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const started = Object.values<string>(scripts).flatMap((line) => /^node recipes\/(\w+\.ts)$/.exec(line)?.[1] ?? []);
    assert.ok(started.length >= 10, String(started));
    for (const file of started) {
      const [, name] = /^export const (\w+) = defineRecipe\(/m.exec(text(file)) ?? [];
      assert.ok(name, `${file} exports no recipe`);
      assert.ok(text(file).endsWith(`\nawait runIfMain(import.meta, ${name});\n`), file);
    }
    // command.ts is the process; the base and the page are made on a machine with its files and tools.
    const onMachines = /^(command\.ts|distill_base\.ts|base\/|browser\/)/;
    for (const file of files.filter((file) => !onMachines.test(file))) {
      assert.doesNotMatch(text(file), /^(import|export) (?!type)[^;]*from "(node:|[./]*\/runtimes\/)/m, file);
    }
  });
});
