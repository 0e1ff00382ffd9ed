import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { adaptersText } from "../interchange/table.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const documents = execFileSync("git", ["ls-files", "*.md"], { cwd: root, encoding: "utf8" }).trim().split("\n");

describe("the documents", () => {
  it("docs/adapters.md is what the plugins and the recorded runs make of it", async () => {
    assert.equal(readFileSync(`${root}docs/adapters.md`, "utf8"), await adaptersText());
  });
  it("have rows in every table", () => {
    const empty = documents.flatMap((file) => {
      const lines = readFileSync(root + file, "utf8").split("\n");
      return lines.flatMap((line, i) =>
        /^\s*\|(\s*:?-+:?\s*\|)+\s*$/.test(line) && !/^\s*\|/.test(lines[i + 1] ?? "") ? [`${file}:${i + 1}`] : []
      );
    });
    assert.deepEqual(empty, []);
  });
  it("name files that are there", () => {
    const lost = documents.flatMap((file) =>
      [...readFileSync(root + file, "utf8").matchAll(/\]\((?!https?:)([^)#\s]+)/g)].map(([, to = ""]) => to)
        .filter((to) => {
          const path = new URL(to, new URL(file, `file://${root}`)).pathname;
          return !exists(path);
        }).map((to) => `${file} → ${to}`)
    );
    assert.deepEqual(lost, []);
  });
});

function exists(path: string): boolean {
  try {
    return execFileSync("git", ["ls-files", path.slice(root.length)], { cwd: root, encoding: "utf8" }) !== "";
  } catch {
    return false;
  }
}
