/**
 * What others write, broken at random: readers and endpoints answer with what was asked for or a typed error, soon, and
 * nothing else happens.
 */
import fc from "fast-check";
import assert from "node:assert/strict";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { AttuneError } from "../../core/base/errors.ts";
import { openAdapter } from "../../formats/peft/merge/config.ts";
import { openSafetensors, writeSafetensors } from "../../core/files/safetensors.ts";
import type { Json } from "../../core/types.ts";
import { chatRenderer } from "../../plugins/tokenizers/hf/chat/chat.ts";
import { hf } from "../../plugins/tokenizers/hf.ts";
import { linearPattern } from "../../core/patterns/linear_pattern.ts";
import { edgeRig, testJobs } from "../edge.ts";
import { soon } from "../soon.ts";
import { heldStore, tinyFiles, tinyTokenizer } from "../tiny.ts";

const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
const fuzz = { seed, interruptAfterTimeLimit: 6000, markInterruptAsFailure: false, numRuns: 12_000 };

const bytes = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const text = (value: Uint8Array): string => new TextDecoder().decode(value);

const unhandled: unknown[] = [];
const watch = (error: unknown): void => void unhandled.push(error);
before(() => {
  console.log(`FUZZ_SEED=${seed}`);
  process.on("unhandledRejection", watch);
});
after(() => {
  process.off("unhandledRejection", watch);
  assert.deepEqual(unhandled, [], "rejections that nobody handles");
});

/** Runs one case: it may fail with an AttuneError, soon. */
async function typed(act: () => unknown): Promise<void> {
  try {
    await soon(act);
  } catch (error) {
    if (!(error instanceof AttuneError)) throw error;
  }
  assert.equal(Object.keys(Object.prototype).length, 0, "the prototype of objects is as it was");
}

const odd = fc.oneof(
  fc.constantFrom<Json>(
    null,
    true,
    -1,
    0,
    1.5,
    1e12,
    2 ** 53,
    "",
    "a",
    "__proto__",
    "constructor",
    "\ud800",
    "a".repeat(5000),
    [],
    {},
  ),
  fc.jsonValue() as fc.Arbitrary<Json>,
);

/** JSON with some of its values put in another's place, left out, or made odd. */
function broken(value: Json): fc.Arbitrary<Json> {
  const places: (readonly (string | number)[])[] = [];
  const walk = (at: Json, path: readonly (string | number)[]): void => {
    if (path.length > 0) places.push(path);
    if (typeof at !== "object" || at === null) return;
    // Of long lists and vocabularies the first few.
    for (const key of Object.keys(at).slice(0, 12)) walk((at as Record<string, Json>)[key] ?? null, [...path, key]);
  };
  walk(value, []);
  const change = fc.record({ path: fc.constantFrom(...places), to: fc.option(odd, { nil: undefined }) });
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    const copy = structuredClone(value);
    for (const { path, to } of changes) {
      let at = copy as Record<string, Json> | undefined;
      for (const key of path.slice(0, -1)) {
        const inner = at?.[key];
        at = typeof inner === "object" && inner !== null ? inner as Record<string, Json> : undefined;
      }
      const last = path.at(-1) ?? "";
      if (!at) continue;
      if (to === undefined) delete at[last];
      else {Object.defineProperty(at, last, {
          value: structuredClone(to),
          enumerable: true,
          configurable: true,
          writable: true,
        });}
    }
    return copy;
  });
}

/** Bytes with some flipped, cut out or put in. */
function mangled(whole: Uint8Array): fc.Arbitrary<Uint8Array> {
  const change = fc.record({ at: fc.nat(whole.length), cut: fc.nat(8), put: fc.uint8Array({ maxLength: 8 }) });
  return fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) =>
    changes.reduce(
      (all, { at, cut, put }) => Uint8Array.from([...all.subarray(0, at), ...put, ...all.subarray(at + cut)]),
      whole,
    )
  );
}

const pieces = (words: readonly string[]) =>
  fc.array(fc.constantFrom(...words), { maxLength: 24 }).map((all) => all.join(""));

describe("broken at random", () => {
  const adapter = writeSafetensors({
    "base_model.model.a.lora_A.weight": { dtype: "float32", dims: [2, 3], data: new Float32Array(6) },
    "base_model.model.a.lora_B.weight": { dtype: "float32", dims: [3, 2], data: new Float32Array(6) },
  });

  it("safetensors", async () => {
    await fc.assert(
      fc.asyncProperty(mangled(adapter), (file) =>
        typed(async () => {
          const opened = await openSafetensors(heldStore({ x: file }), "x");
          for (const name of opened.names) await opened.read(name);
        })),
      fuzz,
    );
  });

  it("adapter_config.json", async () => {
    const config: Json = {
      peft_type: "LORA",
      r: 2,
      lora_alpha: 4,
      target_modules: ["a"],
      rank_pattern: { a: 2 },
      use_dora: false,
    };
    const file = fc.oneof(broken(config).map(bytes), mangled(bytes(config)));
    await fc.assert(
      fc.asyncProperty(
        file,
        (own) =>
          typed(() =>
            openAdapter("x", heldStore({ "adapter_config.json": own, "adapter_model.safetensors": adapter }))
          ),
      ),
      fuzz,
    );
  });

  it("tokenizer.json", async () => {
    const bpe: Json = {
      added_tokens: [{ id: 3, content: "<s>", special: true, normalized: false }],
      normalizer: {
        type: "Sequence",
        normalizers: [{ type: "NFKC" }, { type: "Replace", pattern: { Regex: " {2,}" }, content: " " }],
      },
      pre_tokenizer: {
        type: "Split",
        pattern: { Regex: " ?\\p{L}+|\\s+(?!\\S)|\\s+" },
        behavior: "Isolated",
        invert: false,
      },
      post_processor: { type: "ByteLevel", trim_offsets: true },
      decoder: {
        type: "Sequence",
        decoders: [{ type: "Replace", pattern: { String: "a" }, content: "b" }, { type: "Fuse" }],
      },
      model: { type: "BPE", vocab: { a: 0, b: 1, ab: 2 }, merges: ["a b"], unk_token: null },
    };
    const unigram: Json = {
      ...bpe,
      pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always" },
      model: { type: "Unigram", unk_id: 0, vocab: [["<unk>", 0], ["▁a", -1], ["b", -2]] },
    };
    const any = [tinyTokenizer as Json, bpe, unigram].map((definition) =>
      fc.oneof(broken(definition).map(bytes), mangled(bytes(definition)))
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(...any),
        pieces(["a", "b", " ", "ab", "film ", "<s>", "é", "\n", "😀"]),
        (file, input) =>
          typed(async () => {
            const tokenizer = await hf({}).open(heldStore({ "tokenizer.json": file }));
            const [{ ids }] = tokenizer.encode(input);
            tokenizer.encode(input, { offsets: false });
            if (tokenizer.vocabSize < 1e5) tokenizer.decode(ids);
          }),
      ),
      fuzz,
    );
  });

  it("chat templates", async () => {
    const words = [
      "{% for m in messages %}",
      "{% for i in range(99999) %}",
      "{% for i in range(5000) %}",
      "{% endfor %}",
      "{{ m.content }}",
      "{{ x }}",
      "{{ i }}",
      "{% set x = 'ab' %}",
      "{% set x = x + x %}",
      "{% set x = [x, x] %}",
      "{% set x = x | replace('a', x) %}",
      "{% if x %}",
      "{% endif %}",
      "{% macro f(n) %}",
      "{% endmacro %}",
      "{{ f(f) }}",
      "{{ f(x) }}",
      "{{ x | tojson(indent=9) }}",
      "{{ x | join(x) }}",
      "{{ messages.constructor }}",
      "{% set n = namespace(x=x) %}",
      "{% set n.x = n %}",
      "{{ n.x }}",
      "{{",
      "}}",
      "{%",
      "%}",
      "{#",
      "'",
      "(",
      "]",
      " ",
      "word",
      "{% generation %}",
      "{% endgeneration %}",
      "{{ '%s' | format(x) }}",
      "{{ x[::-1] }}",
      "{{ x * 1000000 }}",
      "{{ x.split('a') }}",
      "{{ raise_exception(x) }}",
    ];
    const messages = [{ role: "user", content: "hello" }, { role: "assistant", content: "you" }];
    await fc.assert(
      fc.asyncProperty(pieces(words), (template) => typed(() => chatRenderer(template, {})(messages, false).assistant)),
      fuzz,
    );
  });

  it("patterns: what matches is what JavaScript's own would match", () => {
    const marks = fc.constantFrom("*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "+?", "??");
    const one = fc.constantFrom("a", "b", "c", "[ab]", "[^a]", ".", "\\p{L}", "\\b", "^", "$", "(?<=a)", "(?<!ab)");
    const { pattern } = fc.letrec<{ pattern: string }>((tie) => ({
      pattern: fc.oneof(
        { depthSize: "small" },
        one,
        fc.tuple(tie("pattern"), tie("pattern")).map(([a, b]) => a + b),
        fc.tuple(tie("pattern"), tie("pattern")).map(([a, b]) => `(?:${a}|${b})`),
        // What is repeated takes a character: whether nothing may be repeated is where engines differ.
        fc.tuple(tie("pattern"), marks).map(([a, mark]) => `(?:[ab]${a}|c)${mark}`),
        fc.tuple(fc.constantFrom("a", "b", "[ab]", "."), marks).map((both) => both.join("")),
        tie("pattern").map((a) => `(?=${a})`),
        tie("pattern").map((a) => `(?!${a})`),
      ),
    }));
    const input = pieces(["a", "b", "c", " ", "é", "\n"]);
    fc.assert(
      fc.property(pattern, input, (source, text) => {
        fc.pre(source.length < 120);
        const matches = (found: Iterable<RegExpMatchArray>) => Array.from(found, (m) => [m.index, m[0]]);
        const made = linearPattern(source)[Symbol.matchAll](text);
        assert.deepEqual(matches(made), matches(text.matchAll(new RegExp(source, "gu"))), source);
      }),
      { ...fuzz, numRuns: 20_000 },
    );
  });

  it("requests", async () => {
    const rig = edgeRig({
      jobs: await testJobs(),
      limits: {
        rates: Object.fromEntries(
          ["light", "heavy", "submit", "runner", "failed"].map((name) => [name, { perSecond: 1e6, burst: 1e6 }]),
        ) as never,
      },
      stores: {
        "a/one": heldStore({
          "adapter_config.json": bytes({ peft_type: "LORA", r: 2, lora_alpha: 4, target_modules: ["a"] }),
          "adapter_model.safetensors": adapter,
        }),
        "a/two": heldStore(tinyFiles()),
      },
    });
    const merge: Json = {
      adapters: [{ file: "one", weight: 1 }, { file: "one", weight: -1 }],
      method: "ties",
      options: { density: 0.5, seed: 1, svdRank: 1, majoritySignMethod: "total" },
      store: false,
    };
    const tokenize: Json = {
      tokenizer: "two",
      input: [["a film"], "good"],
      pair: "x",
      options: { truncation: true, maxLength: 8, padding: true },
    };
    const evaluate: Json = {
      metrics: ["accuracy", { use: "f1", with: { average: "macro" } }],
      predictions: [0, 1, 1],
      references: [0, 1, 0],
    };
    const lines = [0, 1, 1].map((n) => JSON.stringify({ prediction: n, reference: 1 })).join("\n");
    const form = '--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--x\r\n' +
      'content-disposition: form-data; name="file"; filename="rows.jsonl"\r\n\r\n{"text":"a","label":"b"}\n\r\n--x--\r\n';
    const json = "application/json";
    const request = (path: string, type: string, body: fc.Arbitrary<Uint8Array>) =>
      fc.record({ path: fc.constant(path), type: fc.constant(type), body });
    const either = (value: Json) => fc.oneof(broken(value).map(bytes), mangled(bytes(value)));
    const any = fc.oneof(
      request("/v1/adapters/merge", json, either(merge)),
      request("/v1/tokenize", json, either(tokenize)),
      request("/v1/evaluate", json, either(evaluate)),
      request("/v1/evaluate?metrics=accuracy", "application/x-ndjson", mangled(bytes(lines))),
      request("/v1/files", "multipart/form-data; boundary=x", mangled(bytes(form))),
      request(
        "/v1/fine_tuning/jobs",
        json,
        either({ model: "two", training_file: "file-x", attune: { task: { use: "embeddings" } } }),
      ),
    );
    await fc.assert(
      fc.asyncProperty(any, ({ path, type, body }) =>
        typed(async () => {
          const answer = await rig.app.request(path, {
            method: "POST",
            headers: { authorization: "Bearer key-a", "content-type": type },
            body: new Uint8Array(body),
          });
          const bytes = new Uint8Array(await answer.arrayBuffer());
          assert.ok(
            [200, 201, 400, 404, 413, 422].includes(answer.status),
            `${path}: ${answer.status} ${text(bytes).slice(0, 300)}`,
          );
          if (answer.status >= 400) {
            const { error } = JSON.parse(text(bytes));
            assert.ok(
              typeof error.message === "string" && !/\.ts:|node_modules|\/tmp\//.test(error.message),
              error.message,
            );
          }
        })),
      { ...fuzz, numRuns: 6000 },
    );
  });
});
