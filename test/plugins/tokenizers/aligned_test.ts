/** Places survive normalization and cutting: figures as Hugging Face's tokenizers 0.23 gives them. */
import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Aligned, alignedOf, endOf, replaced, startOf } from "../../../plugins/tokenizers/hf/text/aligned.ts";
import { normalizerOf } from "../../../plugins/tokenizers/hf/normalizers.ts";
import { patternOf } from "../../../plugins/tokenizers/hf/text/patterns.ts";
import { preTokenizerOf } from "../../../plugins/tokenizers/hf/pre_tokenizers.ts";
import { readRegex } from "../../../plugins/tokenizers/hf/text/regex.ts";

const textOf = ({ text }: Aligned): string => text;
const places = (text: Aligned): unknown[] =>
  [...text.text].map((char, i) => [char, startOf(text, i), endOf(text, i + 1)]);
const run = (type: string, text: string, options: object = {}) =>
  places(normalizerOf({ type, ...options })(alignedOf(text)));

describe("normalizers", () => {
  it("reach Unicode's normal forms, each character as JavaScript does the whole", () => {
    for (const form of ["NFC", "NFD", "NFKC", "NFKD"] as const) {
      const text = fc.string({
        unit: fc.constantFrom(..."aeA1 ﬁçåÅ가각힣", "\u0301", "\u0323", "\u0334", "\u05b0", "\u0300"),
      });
      fc.assert(fc.property(text, (s) => {
        assert.equal(textOf(normalizerOf({ type: form })(alignedOf(s))), s.normalize(form));
      }));
    }
  });
  it("leave a composed letter where its first part stood", () => {
    assert.deepEqual(run("NFC", "a\u0300\u0301b"), [["à", 0, 1], ["\u0301", 2, 3], ["b", 3, 4]]);
  });
  it("put what is prepended at the first character, and what replaces a match at its last", () => {
    assert.deepEqual(run("Prepend", "ab", { prepend: "▁" }), [["▁", 0, 1], ["a", 0, 1], ["b", 1, 2]]);
    const text = replaced(alignedOf("x``y"), patternOf({ String: "``" }, undefined)("x``y"), '"');
    assert.deepEqual(places(text), [["x", 0, 1], ['"', 2, 3], ["y", 3, 4]]);
  });
  it("lower character by character", () => {
    assert.equal(textOf(normalizerOf({ type: "Lowercase" })(alignedOf("ΣΑΣ"))), "σασ");
  });
  it("of an unknown kind are refused", () => assert.throws(() => normalizerOf({ type: "Magic" }), /normalizer.*Magic/));
});

describe("pre-tokenizers", () => {
  const cut = (definition: object, text: string): string[] =>
    preTokenizerOf(definition as { type: string }, { readRegex })(alignedOf(text)).map(textOf);
  it("lose nothing but what they remove", () => {
    const text = fc.string({ unit: fc.constantFrom(..."ab1½ .,!\t\n\u00a0\ufeff") });
    fc.assert(fc.property(text, (s) => {
      assert.equal(cut({ type: "Punctuation" }, s).join(""), s);
      assert.equal(cut({ type: "Digits" }, s).join(""), s);
      assert.equal(cut({ type: "WhitespaceSplit" }, s).join(""), s.replaceAll(/\p{White_Space}/gu, ""));
    }));
  });
  it("cut as they say", () => {
    assert.deepEqual(cut({ type: "Metaspace", prepend_scheme: "always" }, "a b"), ["▁a", "▁b"]);
    assert.deepEqual(cut({ type: "Digits", individual_digits: true }, "a½12"), ["a", "½", "1", "2"]);
    assert.deepEqual(cut({ type: "ByteLevel", use_regex: true }, "it's é"), ["it", "'s", "ĠÃ©"]);
    const split = { type: "Split", pattern: { Regex: "(?i:'s)|\\s+" }, behavior: "MergedWithPrevious" };
    assert.deepEqual(cut(split, "it'S  so"), ["it'S", "  ", "so"]);
  });
});
