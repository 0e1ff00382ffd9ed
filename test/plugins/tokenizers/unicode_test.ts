/**
 * Every class of characters over all of Unicode, as Python's tokenizers 0.23 has it, whatever the engine's own version is.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { CharSet } from "../../../core/patterns/node.ts";
import { alignedOf } from "../../../plugins/tokenizers/hf/text/aligned.ts";
import { normalizerOf } from "../../../plugins/tokenizers/hf/normalizers.ts";
import { parseOniguruma } from "../../../plugins/tokenizers/hf/text/oniguruma.ts";
import * as unicode from "../../../plugins/tokenizers/hf/text/unicode.ts";

const hashes: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(new URL("../../fixtures/unicode_classes.json", import.meta.url), "utf8"),
);
const codes: number[] = [];
for (const [from, to] of [[0, 0xd800], [0xe000, 0x34000], [0xe0000, 0xe0200], [0xf0000, 0xf0100]] as const) {
  for (let code = from; code < to; code++) codes.push(code);
}
const own: Readonly<Record<string, CharSet>> = {
  control: unicode.isControl,
  nonspacing: unicode.isNonspacing,
  mark: unicode.isMark,
  punctuation: unicode.isPunctuation,
  whitespace: unicode.isWhitespace,
  numeric: unicode.isNumeric,
  word: unicode.isWord,
};
const sha = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex").slice(0, 16);

describe("over all of Unicode", () => {
  for (const [name, hash] of Object.entries(hashes)) {
    it(name, () => {
      if (/^NF|^Lower|^Nmt/.test(name)) {
        const normalize = normalizerOf({ type: name });
        const made = codes.map((code) => normalize(alignedOf(String.fromCodePoint(code))).text);
        return assert.equal(sha(made.join("\n")), hash);
      }
      let has = own[name];
      if (!has) {
        const node = parseOniguruma(name);
        assert.equal(node.type, "set");
        has = node.type === "set" ? node.set : unicode.isWord;
      }
      assert.equal(sha(Uint8Array.from(codes, (code) => (has(code) ? 1 : 0))), hash);
    });
  }
});
