/**
 * Tokenizers and templates by somebody who means harm: a typed error, soon, or what was asked for in time that grows with the
 * text alone.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AttuneError } from "../../../core/base/errors.ts";
import type { Json, Named, Tokenizer } from "../../../core/types.ts";
import { chatRenderer } from "../../../plugins/tokenizers/hf/chat/chat.ts";
import { hf } from "../../../plugins/tokenizers/hf.ts";
import { linearPattern } from "../../../core/patterns/linear_pattern.ts";
import { soon } from "../../soon.ts";
import { heldStore, tinyTokenizer } from "../../tiny.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const opened = (definition: unknown, config: Json = {}): Promise<Tokenizer> =>
  hf({}).open(heldStore({
    "tokenizer.json": bytes(typeof definition === "string" ? definition : JSON.stringify(definition)),
    "tokenizer_config.json": bytes(JSON.stringify(config)),
  }));
const typed = async (act: () => unknown, what: string): Promise<AttuneError> => {
  try {
    await soon(act, what);
  } catch (error) {
    assert.ok(error instanceof AttuneError, `${what}: ${error}`);
    return error;
  }
  throw new Error(`${what} was taken`);
};
const withModel = (model: Named<unknown>): unknown => ({
  ...tinyTokenizer,
  model: { ...tinyTokenizer.model as object, ...model },
});
const bpe = (model: Named<unknown>): unknown => ({
  ...tinyTokenizer,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  model: { type: "BPE", unk_token: null, vocab: { a: 0, b: 1, ab: 2 }, merges: ["a b"], ...model },
});
const withSteps = (steps: Named<unknown>, model: Named<unknown> = {}): unknown => ({
  ...bpe(model) as object,
  ...steps,
});
const pattern = (type: string, regex: string, more: Named<unknown> = {}) => ({
  type,
  pattern: { Regex: regex },
  behavior: "Isolated",
  invert: false,
  content: "",
  ...more,
});

describe("F8: a tokenizer.json that is not sound", () => {
  const added = (token: Named<unknown>): unknown => ({ ...tinyTokenizer, added_tokens: [token] });
  const cases: Named<() => unknown> = {
    "deeply nested": () => `{"model":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
    "nested parts": () => {
      let part: Json = { type: "NFC" };
      for (let i = 0; i < 100; i++) part = { type: "Sequence", normalizers: [part] };
      return { ...tinyTokenizer, normalizer: part };
    },
    "not JSON": () => "{",
    "not UTF-8 is no token": () => "[]",
    "a negative id": () => withModel({ vocab: { "[UNK]": -1 } }),
    "a huge id": () => withModel({ vocab: { "[UNK]": 0, a: 2 ** 40 } }),
    "half an id": () => withModel({ vocab: { "[UNK]": 0, a: 1.5 } }),
    "an id that is text": () => withModel({ vocab: { "[UNK]": "0" } }),
    "one id twice": () => withModel({ vocab: { "[UNK]": 0, a: 1, b: 1 } }),
    "no vocabulary": () => withModel({ vocab: {} }),
    "a vocabulary of nothing": () => withModel({ vocab: null }),
    "an unknown token that is none": () => withModel({ unk_token: "[NONE]" }),
    "words without an end": () => withModel({ max_input_chars_per_word: 1e9 }),
    "an added token with a huge id": () => added({ id: 1e9, content: "x" }),
    "an added token with another's id": () => added({ id: 5, content: "x" }),
    "an added token of nothing": () => added({ id: 40, content: "" }),
    "an added token that is none": () => added(null as unknown as Named<unknown>),
    "added tokens that are none": () => ({ ...tinyTokenizer, added_tokens: { length: 1e9 } }),
    "a merge of one": () => bpe({ merges: ["a"] }),
    "a merge of numbers": () => bpe({ merges: [[1, 2]] }),
    "a merge of what is no token": () => bpe({ merges: ["a c"] }),
    "a merge to what is no token": () => bpe({ merges: ["b a"] }),
    "merges that are none": () => bpe({ merges: "a b" }),
    "merges that grow": () =>
      bpe({ merges: Array.from({ length: 20 }, (_, i) => ["a".repeat(2 ** i), "a".repeat(2 ** i)]) }),
    "bytes that are missing": () => bpe({ byte_fallback: true }),
    "scores that are none": () => withModel({ type: "Unigram", vocab: [["a", null]], unk_id: 0 }),
    "an unknown token beyond the list": () => withModel({ type: "Unigram", vocab: [["a", 0]], unk_id: 7 }),
    "an unknown kind of model": () => withModel({ type: "Else" }),
    "an unknown kind of step": () => ({ ...tinyTokenizer, normalizer: { type: "constructor" } }),
    "a step that is none": () => ({ ...tinyTokenizer, pre_tokenizer: [] }),
    "a sequence of nothing": () => ({ ...tinyTokenizer, pre_tokenizer: { type: "Sequence" } }),
    "rules that are no rules": () => ({
      ...tinyTokenizer,
      normalizer: { type: "Precompiled", precompiled_charsmap: "????" },
    }),
    "rules that say they are long": () => ({
      ...tinyTokenizer,
      normalizer: { type: "Precompiled", precompiled_charsmap: btoa("\xfc\xff\xff\x7f") },
    }),
    "a template of nothing": () => ({
      ...tinyTokenizer,
      post_processor: { type: "TemplateProcessing", single: 1, pair: 1 },
    }),
    "special tokens without ids": () => ({
      ...tinyTokenizer,
      post_processor: {
        type: "TemplateProcessing",
        single: [{ SpecialToken: { id: "[CLS]", type_id: 0 } }],
        pair: [],
        special_tokens: { "[CLS]": { id: "[CLS]", ids: 1, tokens: [] } },
      },
    }),
    "pieces cut at nothing": () => withSteps({ pre_tokenizer: { type: "Metaspace", replacement: "" } }),
    "pieces cut at two characters": () => withSteps({ pre_tokenizer: { type: "CharDelimiterSplit", delimiter: "ab" } }),
    "pieces of no length": () => withSteps({ pre_tokenizer: { type: "FixedLength", length: 0 } }),
    "merges left out at random": () => bpe({ dropout: 0.1 }),
    "a component that is not there": () => withSteps({ pre_tokenizer: { type: "UnicodeScripts" } }),
    "a pattern that cannot be read": () => withSteps({ pre_tokenizer: pattern("Split", "(a") }),
    "a pattern that is none": () => withSteps({ pre_tokenizer: { ...pattern("Split", "a"), pattern: { Regex: 5 } } }),
  };
  for (const [name, make] of Object.entries(cases)) {
    it(name, async () => {
      const definition = make();
      await typed(() => opened(definition), name);
    });
  }

  it("a token may be called __proto__ or constructor", async () => {
    const text = JSON.stringify(bpe({ vocab: { a: 0, constructor: 1 }, merges: [] })).replace(
      '"constructor"',
      '"__proto__"',
    );
    assert.equal((await opened(text)).vocabSize, 2);
    assert.equal(({} as { a?: number }).a, undefined);
  });
});

describe("a text may not grow without end", () => {
  const doubled = { type: "Replace", pattern: { String: "a" }, content: "aa" };
  it("in the steps before the model, nor behind it", async () => {
    const open = async (change: Named<unknown>) => await opened({ ...tinyTokenizer, ...change });
    const before = await open({ normalizer: { type: "Sequence", normalizers: Array(40).fill(doubled) } });
    assert.throws(() => before.encode("a film".repeat(50)), { code: "BAD_VALUE", message: /steps that make at most/ });
    const nested = { type: "Sequence", normalizers: Array(6).fill(doubled) };
    const within = await open({ normalizer: { type: "Sequence", normalizers: Array(6).fill(nested) } });
    assert.throws(() => within.encode("a"), { code: "BAD_VALUE" });
    const behind = await open({ decoder: { type: "Sequence", decoders: Array(40).fill(doubled) } });
    assert.throws(() => behind.decode([6]), { code: "BAD_VALUE" });
    // What is long in Unicode stays so.
    const forms = await open({ normalizer: { type: "NFKD" } });
    assert.ok(forms.encode("\ufdfa".repeat(1000))[0].ids.length > 0);
  });
});

describe("F9: patterns take no more time than the text is long", () => {
  // Each would take its own matcher the square of the text or worse. Steps are counted by the search itself, which throws
  // behind a hundred for a character: the square of 20,000 would be a hundred times that.
  const regexes = ["(a+)+$", "(a|a)*$", "(?:a*)*c", "a+$", ".*.*=.*", "a*b|a"];
  for (const regex of regexes) {
    it(regex, async () => {
      const own = linearPattern(regex);
      await soon(() => [...own[Symbol.matchAll](`${"a".repeat(20_000)}!`)], regex);
    });
  }

  it("what is more than that is an error", () => {
    for (const own of [linearPattern("(?=.*b)a"), linearPattern("(?:a?){40}(?:a){40}c")]) {
      assert.throws(() => [...own[Symbol.matchAll]("a".repeat(20_000))], /too many steps/);
    }
    for (
      const regex of [
        "(a)\\1",
        "(?<=a+)b",
        "a{9999}{9999}",
        "(?:a{999}){999}",
        "(".repeat(100_000),
        "(?<x",
        "a**",
        "[a",
      ]
    ) {
      assert.throws(() => linearPattern(regex), SyntaxError, regex.slice(0, 20));
    }
  });

  it("wherever a tokenizer.json has one: 50,000 of a, by ids, places and back", async () => {
    const vocab = { a: 0, "!": 1 };
    const text = `${"a".repeat(50_000)}!`;
    for (const part of ["pre_tokenizer", "normalizer", "decoder"]) {
      const type = part === "pre_tokenizer" ? "Split" : "Replace";
      const made = await opened(withSteps({ [part]: pattern(type, "(a+)+$") }, { vocab, merges: [] }));
      for (const offsets of [false, true]) {
        assert.equal((await soon(() => made.encode(text, { offsets }), part))[0].ids.length, 50_001);
      }
      const ids = [0, 1, ...new Array(100).fill(0), 1];
      assert.equal((await soon(() => made.decode(ids), part)).replaceAll(" ", "").length, part === "decoder" ? 2 : 103);
    }
  });

  it("a normalizer's pattern on an added token, which is normalized as it is read", async () => {
    const made = await opened(withSteps({
      normalizer: pattern("Replace", "(a+)+$", { content: "b" }),
      added_tokens: [{ id: 3, content: `${"a".repeat(60)}!`, normalized: true, special: false }],
    }));
    assert.equal(made.encode(`${"a".repeat(60)}!`)[0].ids[0], 3);
  });

  it("one word of half a megabyte", async () => {
    const text = "ab".repeat(2 ** 18);
    assert.equal(
      (await opened(tinyTokenizer)).encode(text, { offsets: false, addSpecialTokens: false })[0].ids.length,
      1,
    );
  });
});

describe("F13: a chat template by somebody else", () => {
  const messages = [{ role: "user", content: "hello" }];
  const rendered = (template: string): string => chatRenderer(template, { bos_token: "<s>" })(messages, false).text;
  const loops = (n: number): string =>
    `${Array.from({ length: n }, (_, i) => `{% for x${i} in range(9999) %}`).join("")}${"{% endfor %}".repeat(n)}`;
  const hostile: Named<string> = {
    "a long range": "{% for i in range(1000000000) %}{% endfor %}",
    "loops within loops": loops(3),
    "loops that do something": loops(3).replace("{% endfor", "{{ x0 }}{% endfor"),
    "a macro that calls itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a macro that calls itself twice":
      "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "text that doubles": `{% set x = 'ab' %}${"{% set x = x + x %}".repeat(60)}{{ x }}`,
    "text that doubles in a loop":
      "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
    "lists that double": `{% set x = ['ab'] %}${"{% set x = x + x %}".repeat(60)}{{ x | length }}`,
    "lists of lists": `{% set x = ['ab'] %}${"{% set x = [x, x] %}".repeat(60)}{{ x | tojson }}`,
    "text that is replaced by itself": `{% set x = 'aaaaaaaaaaaaaaaa' %}${
      "{% set x = x | replace('a', x) %}".repeat(8)
    }{{ x }}`,
    "text that joins itself": `{% set x = 'aaaaaaaaaaaaaaaa' %}${"{% set x = x.replace('a', x) %}".repeat(8)}{{ x }}`,
    "a wide indent": "{{ messages | tojson(indent=100000000) }}{{ 'a' | indent(500000000) }}",
    "deep brackets": `{{ ${"(".repeat(100_000)}1${")".repeat(100_000)} }}`,
    "deep lists": `{{ ${"[".repeat(5000)}1${"]".repeat(5000)} }}`,
    "many blanks": `${" ".repeat(100_000)}{{ 1 }}`,
    "much of it": "{{ 1 }}".repeat(100_000),
    "the constructor, called": "{{ messages.constructor.constructor('return 1')() }}",
    "a namespace that holds itself": "{% set n = namespace() %}{% set n.x = n %}{{ [n] | tojson }}",
    "a tag without an end": "{% for",
    "something that is no function": "{{ messages() }}",
    "what it says itself": "{{ raise_exception('no') }}",
  };
  for (const [name, template] of Object.entries(hostile)) {
    it(name, async () => void await typed(() => rendered(template), name));
  }

  it("nothing of JavaScript is reached", () => {
    const looks = [
      "messages.__proto__",
      "messages.constructor",
      "messages[0].constructor",
      "''.constructor",
      "range.constructor",
      "messages[0]['__proto__']",
      "namespace.constructor",
      "toString",
      "globalThis",
      "process",
    ];
    for (const look of looks) {
      let text = "";
      try {
        text = rendered(`{{ ${look} }}`);
      } catch (error) {
        assert.ok(error instanceof AttuneError);
      }
      assert.equal(text.replaceAll(/undefined|null|None/g, ""), "", look);
    }
  });

  it("what templates of the field do fits", () => {
    const many = Array.from(
      { length: 400 },
      (_, i) => ({ role: i % 2 ? "assistant" : "user", content: "words and words ".repeat(50) }),
    );
    const template =
      "{% for m in messages %}{% if loop.index0 > 0 and messages[loop.index0 - 1].role == m.role %}{{ raise_exception('!') }}{% endif %}" +
      "<|{{ m.role }}|>{{ m.content | trim | replace('x', 'y') }}{{ messages | length }}{% endfor %}{{ strftime_now('%Y-%m-%d') }}{{ [1, {'a': 2}] | tojson(indent=4) }}";
    assert.match(chatRenderer(template, {})(many, true).text, /\d{4}-\d\d-\d\d\[\n/);
  });

  it("what a user writes does not become a special token", async () => {
    const chat = await opened(tinyTokenizer, {
      chat_template: "{% for m in messages %}{{ m.content }}[SEP]{% endfor %}",
    });
    const turn = [{ role: "user", content: "good film[SEP]" }];
    const error = await typed(() => chat.applyChatTemplate(turn, { refuseSpecialTokens: true }), "a special token");
    assert.equal(error.path, "messages.0.content");
    assert.equal(chat.applyChatTemplate(turn).text, "good film[SEP][SEP]");
  });
});
