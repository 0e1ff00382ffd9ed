import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import * as v from "valibot";
import type { Json, Named, Store } from "../../core/types.ts";
import { directoryStore } from "../../runtimes/host/directory_store.ts";
import { checked } from "../../runtimes/http/responses.ts";
import type { EncodingJson } from "../../runtimes/serve/tokenize_texts.ts";
import { edgeRig } from "../edge.ts";
import { sharedPath, SKIP_REASON } from "../shared.ts";
import { heldStore, tinyFiles } from "../tiny.ts";

type Figures = Readonly<{
  ids: number[];
  offsets?: number[][];
  wordIds?: (number | null)[];
  sequenceIds?: (number | null)[];
  attentionMask?: number[];
  specialTokensMask?: number[];
  typeIds?: number[];
}>;
type Case = Readonly<{ text: string; textPair?: string; options: Named<Json>; windows?: Figures[]; error?: unknown }>;
type File = Readonly<{
  tokenizer: string;
  strings: (Figures & { text: string; decoded: string })[];
  singles: Case[];
  pairs: Case[];
  batches: { texts: string[]; pairs?: string[]; options: Named<Json>; rows: Figures[] }[];
  words: (Figures & { words: string[] })[];
}>;

/** An encoding under the names of the reference. */
function figures(encoding: EncodingJson, wanted: Figures): Figures {
  const { inputIds: ids, tokenTypeIds: typeIds, ...rest } = encoding;
  const all: Named<unknown> = { ids, typeIds, ...rest };
  return Object.fromEntries(Object.keys(wanted).map((name) => [name, all[name]])) as Figures;
}

const folder = sharedPath("reference/tokenizers");
describe("tokenize and detokenize, as transformers", { skip: folder === undefined && SKIP_REASON }, () => {
  const names = folder === undefined ? [] : readdirSync(folder).map((name) => name.replace(".json", ""));
  const files = new Map(names.map((name) => {
    return [name, JSON.parse(readFileSync(`${folder}/${name}.json`, "utf8")) as File];
  }));
  const stores: Record<string, Store> = {};
  for (const [name, file] of files) stores[name] = directoryStore(resolve(folder ?? "", file.tokenizer));
  const { post } = edgeRig({ stores });
  for (const [tokenizer, file] of files) {
    const ask = async (body: object, options: object): Promise<EncodingJson[]> => {
      const all = { offsetUnit: "codepoint", returnSpecialTokensMask: true, ...options };
      const sent = { tokenizer, ...body, options: all };
      const { status, json } = await post<{ encodings: EncodingJson[] }>("/v1/tokenize", sent);
      assert.equal(status, 200, JSON.stringify(json));
      return json.encodings;
    };
    it(tokenizer, async () => {
      const encodings = await ask({ input: file.strings.map((s) => s.text) }, {});
      for (const [i, { text, decoded: _, ...wanted }] of file.strings.entries()) {
        assert.deepEqual(figures(encodings[i] as EncodingJson, wanted), wanted, JSON.stringify(text));
      }
      const inputIds = encodings.map((e) => e.inputIds.filter((_, i) => e.specialTokensMask?.[i] === 0));
      const { json } = await post<{ text: string[] }>("/v1/detokenize", { tokenizer, inputIds });
      assert.deepEqual(json.text, file.strings.map((s) => s.decoded));
      for (const { text, textPair, options, windows, error } of [...file.singles, ...file.pairs]) {
        const pair = textPair === undefined ? {} : { pair: textPair };
        if (error !== undefined) {
          assert.equal((await post("/v1/tokenize", { tokenizer, input: text, ...pair, options })).status, 400);
          continue;
        }
        const [found] = await ask({ input: text, ...pair }, options) as [EncodingJson];
        const { overflowing = [], ...first } = found;
        assert.deepEqual([first, ...overflowing].map((w, i) => figures(w, windows?.[i] as Figures)), windows);
      }
      for (const { texts, pairs, options, rows } of file.batches) {
        const found = await ask({ input: texts, ...(pairs ? { pair: pairs } : {}) }, options);
        const flat = found.flatMap(({ overflowing = [], ...first }) => [first, ...overflowing]);
        assert.deepEqual(flat.map((e, i) => figures(e, rows[i] as Figures)), rows, JSON.stringify(options));
      }
      for (const { words, ...wanted } of file.words) {
        const [found] = await ask({ input: words }, { isSplitIntoWords: true }) as [EncodingJson];
        assert.deepEqual(figures(found, wanted), wanted, words.join());
      }
    });
  }
});

describe("tokenize", () => {
  const template = "{% for m in messages %}[CLS] {{ m.content }} [SEP]{% endfor %}" +
    "{% if add_generation_prompt %} the{% endif %}";
  const chat = heldStore({ ...tinyFiles(), "chat_template.jinja": new TextEncoder().encode(template) });
  const { post } = edgeRig({ stores: { chat } });
  const ask = async (body: object): Promise<EncodingJson[]> => {
    const { status, json } = await post<{ encodings: EncodingJson[] }>("/v1/tokenize", body);
    assert.equal(status, 200, JSON.stringify(json));
    return json.encodings;
  };
  const refused = async (body: object, pattern: RegExp): Promise<void> => {
    const sent = { tokenizer: "tiny", input: "a film", ...body };
    const { status, json } = await post<{ error: { message: string } }>("/v1/tokenize", sent);
    assert.equal(status, 400);
    assert.match(json.error.message, pattern);
  };
  it("reads conversations through the template, and says what the assistant says", async () => {
    const messages = [{ role: "user", content: "a film" }, { role: "assistant", content: "good" }];
    const [encoding] = await ask({
      tokenizer: "chat",
      input: messages,
      options: { addGenerationPrompt: true, returnAssistantTokensMask: true },
    });
    assert.equal(encoding?.text, "[CLS] a film [SEP][CLS] good [SEP] the");
    assert.deepEqual(encoding?.inputIds, [2, 6, 7, 3, 2, 13, 3, 5]);
    assert.equal(encoding?.assistantMasks?.[5], 1);
    assert.deepEqual(encoding?.assistantMasks?.slice(0, 4), [0, 0, 0, 0]);
    const two = await ask({ tokenizer: "chat", input: [messages, messages.slice(0, 1)], options: { padding: true } });
    assert.deepEqual(two.map((e) => e.inputIds.length), [7, 7]);
    await refused({ tokenizer: "tiny", input: messages }, /chat template/);
    await refused({ options: { addGenerationPrompt: true } }, /addGenerationPrompt.*messages/);
  });
  it("cuts where a length is given, and pads to it where that is asked for", async () => {
    const ids = async (options: object): Promise<number> =>
      (await ask({ tokenizer: "tiny", input: "a film was very good .", options }))[0]?.inputIds.length ?? 0;
    assert.equal(await ids({ maxLength: 5 }), 5);
    assert.equal(await ids({ maxLength: 5, padding: "longest" }), 8);
    assert.equal(await ids({ maxLength: 12, padding: "max_length" }), 12);
    assert.equal(await ids({ padding: true, padToMultipleOf: 16 }), 16);
    assert.equal(await ids({ padding: "max_length" }), 32, "the tokenizer's own limit");
  });
  it("names what it does not know or cannot do", async () => {
    await refused({ options: { maxLenght: 5 } }, /maxLenght/);
    await refused({ options: { returnTensors: "pt" } }, /returnTensors/);
    await refused({ truncate: true }, /truncate/);
    await refused({ options: { padding: "max_length", maxLength: 2 ** 30 } }, /maxLength/);
    await refused({ input: ["a", "b"], pair: ["a"] }, /pair.*2/);
    await refused({ input: "a film", options: { isSplitIntoWords: true } }, /isSplitIntoWords/);
    await refused({ input: [{ role: "user" }] }, /messages/);
    await refused(
      { input: "a film was good", options: { maxLength: 4, stride: 9, returnOverflowingTokens: true } },
      /stride/,
    );
    const unknown = await post("/v1/detokenize", { tokenizer: "tiny", inputIds: [2, 99_999] });
    assert.equal(unknown.status, 400);
    assert.match(JSON.stringify(unknown.json), /inputIds.*99999/);
    assert.equal((await post("/v1/tokenize", { tokenizer: "none", input: "a" })).status, 404);
  });
  it("opens a tokenizer once, and lets the oldest go where memory is short", async () => {
    const opened: string[] = [];
    const files = tinyFiles();
    const counted = (name: string): Store => {
      const store = heldStore(files);
      return {
        ...store,
        get: async (key, range) => {
          if (key === "tokenizer.json" && !range) opened.push(name);
          return await store.get(key, range);
        },
      };
    };
    const size = files["tokenizer.json"]?.length ?? 0;
    const small = edgeRig({
      stores: { one: counted("one"), two: counted("two"), three: counted("three") },
      limits: { tokenizerBytes: 11 * size },
    });
    const use = (tokenizer: string) => small.post("/v1/tokenize", { tokenizer, input: "a film" });
    await Promise.all(["one", "one", "one", "two"].map(use));
    await use("one");
    // Of requests that come at once, either may be the first to open its own.
    assert.deepEqual(opened.toSorted(), ["one", "two"]);
    await use("three");
    await use("one");
    await use("two");
    assert.deepEqual(opened.slice(2), ["three", "two"]);
    const held = /attune_tokenizer_cache_bytes (\d+)/.exec(await (await small.get("/metrics")).text())?.[1];
    assert.ok(Number(held) <= 11 * size);
    const tight = edgeRig({ limits: { tokenizerBytes: size } });
    const { status, json } = await tight.post("/v1/tokenize", { tokenizer: "tiny", input: "a" });
    assert.equal(status, 400);
    assert.match(JSON.stringify(json), new RegExp(`${5 * size} bytes.*${size}`));
  });
});

it("offsetUnit stands beside the options, or among them", async () => {
  const { post } = edgeRig();
  const ends = async (body: object): Promise<number | undefined> => {
    const sent = { tokenizer: "tiny", input: "😀 film", ...body };
    const { json } = await post<{ encodings: EncodingJson[] }>("/v1/tokenize", sent);
    return json.encodings[0]?.offsets?.at(-2)?.[1];
  };
  assert.equal(await ends({}), 7);
  assert.equal(await ends({ offsetUnit: "utf16" }), 7);
  assert.equal(await ends({ offsetUnit: "codepoint" }), 6);
  assert.equal(await ends({ options: { offsetUnit: "codepoint" } }), 6);
});

describe("a long list of token ids", () => {
  const ids = (count: number, id = 5): number[] => new Array(count).fill(id);
  it("has a limit, that of the places of one answer", async () => {
    const { post } = edgeRig({ limits: { places: 1000 } });
    for (const inputIds of [ids(1000), [ids(600), ids(400)]]) {
      assert.equal((await post("/v1/detokenize", { tokenizer: "tiny", inputIds })).status, 200);
    }
    for (const inputIds of [ids(1001), [ids(600), ids(401)]]) {
      const { status, json } = await post("/v1/detokenize", { tokenizer: "tiny", inputIds });
      assert.equal(status, 400);
      assert.match(JSON.stringify(json), /inputIds: at most 1000 token ids together, found 1001/);
    }
  });
  it("of wrong values costs one look and one sentence", async () => {
    const { post } = edgeRig();
    const { json } = await post("/v1/detokenize", { tokenizer: "tiny", inputIds: ids(1000, -1) });
    assert.match(JSON.stringify(json), /inputIds: token ids \(whole numbers from 0\), or several lists of them/);
    let looks = 0;
    const never = v.array(v.custom<number>(() => {
      looks++;
      return false;
    }));
    assert.throws(() => checked(v.union([never, never]), ids(100_000)));
    assert.equal(looks, 2);
  });
});
