/** Rows of next-token prediction: which tokens are learned, and where their labels stand. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { layOut, plainLayout } from "../../../core/loop/layout.ts";
import { encodeRows } from "../../../core/run/rows/data.ts";
import type { OpenRun } from "../../../core/run/open/open.ts";
import { createRandom } from "../../../core/math/random.ts";
import type { CollatorContext, Encoding, Row, Tokenizer } from "../../../core/types.ts";
import { causalLm, type CausalLmOptions } from "../../../plugins/collators/causal_lm.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { causalLm as objective } from "../../../plugins/tasks/causal_lm.ts";
import { chatRenderer } from "../../../plugins/tokenizers/hf/chat/chat.ts";

const render = chatRenderer(
  "{% for m in messages %}{{ m.role[0] }}{{ m.content }};{% endfor %}{% if add_generation_prompt %}a{% endif %}",
  {},
);

/** One token per character, 1 in front where special tokens are added. */
const tokenizer: Tokenizer = {
  vocabSize: 128,
  specialTokenIds: { pad: 0, bos: 1 },
  paddingSide: "right",
  modelMaxLength: undefined,
  fingerprint: "",
  encode: (text, { addSpecialTokens = true, maxLength = Infinity, truncation } = {}) => {
    const codes = [...String(text)].map((c) => c.charCodeAt(0));
    const ids = Int32Array.from(addSpecialTokens ? [1, ...codes] : codes).subarray(
      0,
      truncation ? maxLength : Infinity,
    );
    const offsets = Int32Array.from(
      { length: 2 * ids.length },
      (_, i) => Math.ceil(i / 2) - (addSpecialTokens ? 1 : 0),
    );
    const specialTokensMask = ids.map((id) => (id < 3 ? 1 : 0));
    return [{ ids, offsets, specialTokensMask } as unknown as Encoding];
  },
  decode: (ids) => String.fromCharCode(...Array.from(ids)),
  applyChatTemplate: (messages, { addGenerationPrompt = false } = {}) => render(messages, addGenerationPrompt),
};
const context: CollatorContext = {
  tokenizer,
  random: createRandom(1),
  maxLength: undefined,
  requiresLabels: true,
  modelType: "llama",
  config: {},
};

/** The same with an end token, 2, which it puts behind whole texts where `appends`. */
const withEnd = (appends: boolean): Tokenizer => ({
  ...tokenizer,
  specialTokenIds: { ...tokenizer.specialTokenIds, eos: 2 },
  encode: (text, options = {}) => {
    const [encoding] = tokenizer.encode(text, options);
    if (!appends || options.addSpecialTokens === false) return [encoding];
    return [{
      ...encoding,
      ids: Int32Array.of(...encoding.ids, 2),
      offsets: Int32Array.of(...encoding.offsets, 0, 0),
      specialTokensMask: Int32Array.of(...encoding.specialTokensMask, 1),
    }];
  },
});

/** The text of a row's tokens, and of those that are learned, with dots for the others. */
function learned(row: Row, options: Partial<CausalLmOptions> = {}, more: Partial<CollatorContext> = {}): string[] {
  const [sample] = causalLm(options).encode(row, 3, { ...context, ...more });
  const { input_ids: ids, labels } = sample!.sequences[0]!.fields;
  const show = (data: ArrayLike<number> = []): string =>
    Array.from(data, (id) => (id === -100 ? "." : id === 1 ? "^" : id === 2 ? "$" : String.fromCharCode(id))).join("");
  return labels ? [show(ids?.data), show(labels.data)] : [show(ids?.data)];
}

const messages = [{ role: "user", content: "hi" }, { role: "assistant", content: "yo" }, {
  role: "user",
  content: "k",
}];

describe("rows", () => {
  it("text", () => assert.deepEqual(learned({ text: "abc" }), ["^abc", "^abc"]));
  it("text, cut", () => assert.deepEqual(learned({ text: "abc" }, {}, { maxLength: 2 }), ["^a", "^a"]));
  it("prompt and completion", () => assert.deepEqual(learned({ prompt: "ab", completion: "cd" }), ["^abcd", "^abcd"]));
  it("the completion alone", () =>
    assert.deepEqual(learned({ prompt: "ab", completion: "cd" }, { lossOn: "completion" }), ["^abcd", "...cd"]));
  it("a conversation", () => assert.deepEqual(learned({ messages }), ["uhi;ayo;uk;", "uhi;ayo;uk;"]));
  it("what the assistant says", () =>
    assert.deepEqual(learned({ messages }, { lossOn: "assistant" }), ["uhi;ayo;uk;", ".....yo;..."]));
  it("a conversation as ShareGPT's sets have it", () => {
    const turns = [{ from: "human", value: "hi" }, { from: "gpt", value: "yo" }, { from: "human", value: "k" }];
    assert.deepEqual(learned({ messages: turns }), learned({ messages }));
    const columns = { messages: "conversations" };
    assert.deepEqual(
      learned({ conversations: turns }, { lossOn: "assistant", columns }),
      learned({ messages }, { lossOn: "assistant" }),
    );
  });
  describe("the end token", () => {
    const end = { tokenizer: withEnd(false) };
    const row = { prompt: "ab", completion: "cd" };
    const on = { lossOn: "completion" } as const;
    it("stands behind rows of prompt and completion, and is learned", () => {
      assert.deepEqual(learned(row, {}, end), ["^abcd$", "^abcd$"]);
      assert.deepEqual(learned(row, on, end), ["^abcd$", "...cd$"]);
    });
    it("not where it is not wanted, nor where the row is cut or full", () => {
      assert.deepEqual(learned(row, { addEosToken: false }, end), ["^abcd", "^abcd"]);
      assert.deepEqual(learned(row, on, { ...end, maxLength: 5 }), ["^abcd", "...cd"]);
      assert.deepEqual(learned(row, on, { ...end, maxLength: 4 }), ["^abc", "...c"]);
      assert.deepEqual(learned(row, on, { ...end, maxLength: 6 }), ["^abcd$", "...cd$"]);
    });
    it("behind others where it is asked for", () => {
      assert.deepEqual(learned({ text: "ab" }, {}, end), ["^ab", "^ab"]);
      assert.deepEqual(learned({ text: "ab" }, { addEosToken: true }, end), ["^ab$", "^ab$"]);
      assert.deepEqual(learned({ messages }, {}, end)[0], "uhi;ayo;uk;");
      assert.deepEqual(learned({ messages }, { addEosToken: true }, end)[0], "uhi;ayo;uk;$");
      assert.throws(() => learned({ text: "ab" }, { addEosToken: true }), /has no end token/);
    });
    it("once, where the tokenizer appends it: the completion begins where its text does", () => {
      const context = { tokenizer: withEnd(true) };
      assert.deepEqual(learned(row, on, context), ["^abcd$", "...cd$"]);
      assert.deepEqual(learned({ prompt: "ab", completion: "" }, on, context), ["^ab$", "...$"]);
      assert.deepEqual(learned({ text: "ab" }, { addEosToken: true }, context), ["^ab$", "^ab$"]);
    });
    it("what is to be completed goes on behind its last word", () => {
      const context = { tokenizer: withEnd(true), requiresLabels: false };
      assert.deepEqual(learned(row, on, context), ["^ab"]);
      assert.deepEqual(learned({ text: "ab" }, {}, context), ["^ab"]);
      assert.deepEqual(learned({ prompt: "" }, {}, context), ["^"]);
    });
  });
  describe("what is asked in evaluation", () => {
    const asked = (row: Row, options: Partial<CausalLmOptions> = {}): string[][] =>
      (causalLm(options).questions?.(row, 3, context) ?? []).map(({ sample, prompt, reference }) => [
        String.fromCharCode(...sample.sequences[0]!.fields.input_ids!.data),
        prompt,
        reference,
      ]);
    const turns = [...messages, { role: "assistant", content: "z" }];
    it("each of the assistant's turns, behind the true turns before it", () => {
      assert.deepEqual(asked({ messages: turns }), [["uhi;a", "hi", "yo"], ["uhi;ayo;uk;a", "hi | yo | k", "z"]]);
      assert.deepEqual(asked({ messages: turns }, { evaluateTurns: "last" }), [["uhi;ayo;uk;a", "hi | yo | k", "z"]]);
      assert.deepEqual(asked({ messages: turns }, { lossOn: "assistant" }).length, 2);
    });
    it("a prompt's completion; of a text nothing", () => {
      assert.deepEqual(asked({ prompt: "ab", completion: "cd" }), [["\x01ab", "ab", "cd"]]);
      assert.deepEqual(asked({ text: "ab" }), []);
    });
    it("each stretch of labels that counts", () => {
      const row = { input_ids: [97, 98, 99, 100, 101], labels: [-100, 98, 99, -100, 101] };
      assert.deepEqual(asked(row), [["a", "a", "bc"], ["abcd", "abcd", "e"]]);
    });
    it("an answer that the row has is not part of what is asked", () => {
      assert.deepEqual(learned({ messages: turns }, {}, { requiresLabels: false }), ["uhi;ayo;uk;a"]);
      assert.deepEqual(learned({ messages }, {}, { requiresLabels: false }), ["uhi;ayo;uk;a"]);
    });
  });
  it("ready-made tokens", () => assert.deepEqual(learned({ input_ids: [97, 98], labels: [-100, 98] }), ["ab", ".b"]));
  it("other columns", () => assert.deepEqual(learned({ body: "a" }, { columns: { text: "body" } }), ["^a", "^a"]));
  it("to be completed", () => {
    assert.deepEqual(learned({ prompt: "ab", completion: "cd" }, {}, { requiresLabels: false, maxLength: 1 }), ["^ab"]);
    assert.deepEqual(learned({ messages }, { lossOn: "assistant" }, { requiresLabels: false }), ["uhi;ayo;uk;a"]);
  });
});

describe("errors", () => {
  const wrong: readonly (readonly [Row, Partial<CausalLmOptions>, RegExp])[] = [
    [{ txt: "a" }, {}, /no column "text".*did you mean "txt"/],
    [{ prompt: "a" }, {}, /no column "completion"/],
    [{ text: "a" }, { lossOn: "assistant" }, /task\.with\.lossOn.*"text"/],
    [{ messages }, { lossOn: "completion" }, /task\.with\.lossOn.*"assistant".*"messages"/],
    [{ messages: [] }, {}, /messages of texts/],
    [{ messages: [{ role: "user", content: 1 }] }, {}, /messages of texts/],
    [{ messages: [{ from: "narrator", value: "a" }] }, {}, /messages of texts.*from \(human, user, gpt/],
    [{ input_ids: [1, 2], labels: [1] }, {}, /of one length/],
    [{ input_ids: [] }, {}, /at least one token/],
  ];
  for (const [row, options, message] of wrong) {
    it(`${JSON.stringify(row)} ${JSON.stringify(options)}`, () => assert.throws(() => learned(row, options), message));
  }

  const open = (): OpenRun =>
    ({
      run: { training: { seed: 1, maxLength: 3 } },
      host: {},
      tokenizer,
      collator: causalLm({ lossOn: "completion" }),
      checkpoint: { config: {} },
      backbone: { maxPositions: 64, vocabSize: 128, family: { modelType: "llama" } },
      layout: { reserve: { tokens: 0, positions: 0 } },
    }) as unknown as OpenRun;
  const cut = { prompt: "abc", completion: "d" };
  it("data of which nothing is learned", async () => {
    await assert.rejects(encodeRows(open(), memory({ rows: [cut] }), true), /No row has a label to learn from/);
  });
  it("some rows of which nothing is learned are counted", async () => {
    const { looked } = await encodeRows(open(), memory({ rows: [cut, { prompt: "a", completion: "b" }] }), true);
    assert.equal(looked.unlabelled, 1);
  });
});

describe("a batch", () => {
  const batchOf = (rows: readonly Row[], share: boolean) =>
    layOut(rows.flatMap((row, i) => causalLm().encode(row, i, context)), { ...plainLayout, rowSharing: share });

  it("labels stand one place before their tokens, in each sequence", () => {
    const { inputs } = batchOf([{ input_ids: [7, 8, 9] }, { input_ids: [5, 6], labels: [5, 6] }], false);
    assert.deepEqual([...inputs.labels!.data], [8, 9, 6]);
    assert.deepEqual([...inputs["labels.at"]!.data], [0, 1, 3]);
  });
  it("a row shared by two predicts nothing across them", () => {
    const { inputs, batch } = batchOf([{ input_ids: [7, 8, 9] }, { input_ids: [5, 6] }], true);
    assert.equal(batch, 1);
    assert.deepEqual([...inputs.labels!.data], [8, 9, 6]);
    assert.deepEqual([...inputs["labels.at"]!.data], [0, 1, 3]);
  });
  it("of which nothing is learned still has a place, which does not count", () => {
    const { inputs } = batchOf([{ input_ids: [7, 8], labels: [-100, -100] }], false);
    assert.deepEqual([...inputs.labels!.data], [-100]);
    const readings = objective().subtasks[0]!.decode({}, batchOf([{ input_ids: [7] }], false), tokenizer);
    assert.deepEqual(readings, { label: [], loss: [{ sum: 0, count: 0 }] });
  });
  it("is read as classes and a likelihood", () => {
    const f = (...data: number[]) => ({
      dtype: "float32" as const,
      dims: [data.length],
      data: Float32Array.from(data),
    });
    const outputs = { predictions: f(8, 3), logProbabilities: f(-0.5, -2) };
    const readings = objective().subtasks[0]!.decode(outputs, batchOf([{ input_ids: [7, 8, 9] }], false), tokenizer);
    assert.deepEqual(readings, {
      label: [{ prediction: 8, reference: 8 }, { prediction: 3, reference: 9 }],
      loss: [{ sum: 2.5, count: 2 }],
    });
  });
});
