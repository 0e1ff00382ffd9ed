/** Every example of the documentation runs, and what it asserts holds. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { exportMap } from "../../build/exports.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = join(root, "runs", `examples-${process.pid}`);
mkdirSync(folder, { recursive: true });
after(() => rmSync(folder, { recursive: true, force: true }));

const exported = exportMap();
const failures: string[] = [];
const assertion = console.assert;
console.assert = (held?: boolean, ...data: unknown[]) => {
  if (!held) failures.push(`assertion failed ${data.join(" ")}`);
};
after(() => {
  console.assert = assertion;
});

function examplesOf(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/@example\n \* ```ts\n((?: \*.*\n)*?) \* ```/g)]
    .map(([, code = ""]) => code.replaceAll(/^ \* ?/gm, ""));
}

/** Packages' names as the files that they stand for, so that all runtimes find them. */
function resolved(code: string): string {
  return code.replaceAll(/from "attune(\/[\w/-]+)?"/g, (_, path?: string) => {
    const target = exported[path === undefined ? "." : `.${path}`];
    assert.ok(target, `no export attune${path ?? ""}`);
    return `from ${JSON.stringify(pathToFileURL(join(root, target)).href)}`;
  });
}

const files = ["core", "formats", "plugins", "runtimes"].flatMap((top) =>
  readdirSync(join(root, top), { recursive: true, encoding: "utf8" }).map((name) => join(top, name))
    .filter((name) => name.endsWith(".ts"))
).sort();

describe("examples", () => {
  for (const file of [...files, "mod.ts"]) {
    for (const [i, code] of examplesOf(file).entries()) {
      it(`${file}${i === 0 ? "" : ` (${i + 1})`}`, async () => {
        failures.length = 0;
        const path = join(folder, `${file.replaceAll(/[^\w]/g, "_")}_${i}.ts`);
        writeFileSync(path, resolved(code));
        await import(pathToFileURL(path).href);
        assert.deepEqual(failures, []);
      });
    }
  }
});
