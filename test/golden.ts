/** Pinned texts: compares with a file of test/golden, or writes it where UPDATE_GOLDEN is set. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process from "node:process";

/** Throws where a text differs from the pinned one. */
export function assertGolden(name: string, text: string): void {
  const path = fileURLToPath(new URL(`./golden/${name}`, import.meta.url));
  if (process.env["UPDATE_GOLDEN"]) writeFileSync(path, text);
  assert.ok(existsSync(path), `${name} is not pinned yet: run with UPDATE_GOLDEN=1 and read the diff`);
  assert.equal(text, readFileSync(path, "utf8"));
}
