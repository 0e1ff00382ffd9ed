/**
 * Spans taken out of texts: nothing gets lost, shares and lengths are those asked for, draws follow seed, epoch and row.
 */
import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { createRandom } from "../../../core/math/random.ts";
import { encodeRows } from "../../../core/run/rows/data.ts";
import { allSamples, type EncodedRows } from "../../../core/run/rows/encoded_rows.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Json, Named, RunSpec, Sample } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import {
  corruptSpans,
  infillText,
  longestNoiseSource,
  noiseOf,
  permuteSentences,
} from "../../../blocks/collator/spans.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { sharedPath, SKIP_REASON } from "../../shared.ts";

const noise = fc.record({
  noiseDensity: fc.double({ min: 0.05, max: 0.6, noNaN: true }),
  meanNoiseSpanLength: fc.double({ min: 1, max: 5, noNaN: true }),
});
const text = fc.integer({ min: 2, max: 120 }).map((n) => Array.from({ length: n }, (_, i) => i + 1));
const sentinels = Array.from({ length: 20 }, (_, i) => 1000 - i);
const MASK = 999;

describe("span corruption", () => {
  it("keeps every token, in the input or behind its sentinel in the target", () => {
    fc.assert(fc.property(text, noise, fc.integer(), (ids, noise, seed) => {
      const { input, target } = corruptSpans(ids, sentinels, createRandom(seed), noise);
      const spans = new Map<number, number[]>();
      for (const id of target) {
        if (sentinels.includes(id)) spans.set(id, []);
        else [...spans.values()].at(-1)?.push(id);
      }
      assert.deepEqual(input.flatMap((id) => spans.get(id) ?? [id]), ids);
      const { tokens, spans: count } = noiseOf(ids.length, noise, sentinels.length);
      assert.deepEqual([...spans.keys()], sentinels.slice(0, count));
      assert.equal([...spans.values()].flat().length, tokens);
      assert.ok([...spans.values()].every((span) => span.length > 0));
      assert.ok(!sentinels.includes(input[0] ?? 0), "the text begins with what stays");
    }));
  });

  it("takes the longest text that fits", () => {
    fc.assert(fc.property(fc.integer({ min: 3, max: 300 }), noise, (room, { noiseDensity, meanNoiseSpanLength }) => {
      const length = longestNoiseSource(room, noiseDensity, meanNoiseSpanLength);
      const rest = (n: number): number => {
        const { tokens, spans } = noiseOf(n, { noiseDensity, meanNoiseSpanLength });
        return n - tokens + spans;
      };
      assert.ok(rest(length) <= room && rest(length + 1) > room);
    }));
    // What T5 was trained on: 568 tokens make 512 with their end.
    assert.equal(longestNoiseSource(511, 0.15, 3), 568);
  });

  it("cuts anywhere with the same chance", () => {
    const starts = new Map<number, number>();
    const random = createRandom(5);
    const draws = 4000;
    for (let i = 0; i < draws; i++) {
      const ids = Array.from({ length: 12 }, (_, k) => k + 1);
      const share = { noiseDensity: 0.5, meanNoiseSpanLength: 3 };
      const { target } = corruptSpans(ids, sentinels, random.fork(i), share);
      const first = target[1] ?? 0;
      starts.set(first, (starts.get(first) ?? 0) + 1);
    }
    // Six kept tokens as two parts: the first span begins behind 1 to 5 of them.
    assert.deepEqual([...starts.keys()].sort((a, b) => a - b), [2, 3, 4, 5, 6]);
    const five = 4 * Math.sqrt(draws * 0.2 * 0.8);
    for (const count of starts.values()) assert.ok(Math.abs(count - draws / 5) < five, `${count}`);
  });
});

describe("text infilling", () => {
  it("takes out the share asked for, keeps the rest in order, and no text gets longer", () => {
    fc.assert(fc.property(text, noise, fc.integer(), (ids, noise, seed) => {
      const input = infillText(ids, MASK, createRandom(seed), noise);
      const unmasked = input.filter((id) => id !== MASK);
      assert.equal(unmasked.length, ids.length - Math.ceil(ids.length * noise.noiseDensity));
      assert.deepEqual(unmasked, [...unmasked].sort((a, b) => a - b));
      assert.ok(input.length <= ids.length && input.includes(MASK));
    }));
  });

  it("has spans of Poisson distributed lengths", () => {
    const ids = Array.from({ length: 20_000 }, (_, i) => i + 1);
    const input = infillText(ids, MASK, createRandom(3), { noiseDensity: 0.3, meanNoiseSpanLength: 3 });
    const spans = input.filter((id) => id === MASK).length;
    // 6000 tokens in spans of mean 3 and variance 3.
    assert.ok(Math.abs(spans - 2000) < 4 * Math.sqrt(2000 / 3), `${spans}`);
    let empty = 0;
    for (let i = 1; i + 1 < input.length; i++) {
      const [a = 0, b = 0] = [input[i - 1], input[i + 1]];
      if (input[i] === MASK && a !== MASK && b === a + 1) empty++;
    }
    assert.ok(empty > 0.6 * Math.exp(-3) * spans && empty < 1.2 * Math.exp(-3) * spans, `${empty}`);
  });
});

describe("sentence permutation", () => {
  const STOP = 0;
  /** Sentences as fairseq's words have them: a stop that none stands in front of ends one, what is left over stays behind. */
  const sentencesOf = (ids: readonly number[]): { sentences: string[]; rest: string } => {
    const text = ids.map((id) => (id === STOP ? "." : String.fromCharCode(96 + id))).join("");
    const sentences = text.match(/(?:^\.|\.*[^.]+(?:\.|$))/g) ?? [];
    return { sentences, rest: text.slice(sentences.join("").length) };
  };
  const told = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 40 });

  it("moves whole sentences, as many as asked for, and loses nothing", () => {
    fc.assert(fc.property(told, fc.double({ min: 0, max: 1, noNaN: true }), fc.integer(), (ids, ratio, seed) => {
      const moved = permuteSentences(ids, STOP, createRandom(seed), ratio);
      assert.deepEqual(moved.toSorted(), ids.toSorted());
      const { sentences, rest } = sentencesOf(ids);
      const text = moved.map((id) => (id === STOP ? "." : String.fromCharCode(96 + id))).join("");
      assert.ok(text.endsWith(rest));
      // Some order of the sentences spells it, and not more of them than asked for are elsewhere.
      if (sentences.length > 5) return;
      const orders = permutations(sentences.map((_, i) => i));
      const spelling = orders.filter((order) => order.map((i) => sentences[i]).join("") + rest === text);
      const least = Math.min(...spelling.map((order) => order.filter((from, i) => from !== i).length));
      assert.ok(least <= Math.ceil(sentences.length * ratio), `${text} of ${sentences}`);
    }));
  });

  it("has every order with the same chance", () => {
    const counts = new Map<string, number>();
    const [random, draws] = [createRandom(11), 6000];
    for (let i = 0; i < draws; i++) {
      const order = permuteSentences([1, STOP, 2, 2, STOP, 3, 3], STOP, random.fork(i), 1).filter((id) => id > 0).join(
        "",
      );
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    assert.equal(counts.size, 6);
    for (const count of counts.values()) {
      assert.ok(Math.abs(count - draws / 6) < 4 * Math.sqrt(draws * 5 / 36), `${count}`);
    }
  });
});

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}

const folder = sharedPath("reference/cases");

describe("a run", { skip: folder === undefined && SKIP_REASON }, () => {
  const spec = (model: string, task: Json, training: Named<Json> = {}): RunSpec =>
    ({
      version: 1,
      model: { use: "pretrained", with: { path: `${folder}/${model}/model` } },
      task,
      data: {
        train: {
          use: "memory",
          with: {
            rows: Array.from({ length: 6 }, (_, i) => ({
              text: `The food was ${["great", "awful"][i % 2]} and the phone ${i} was not, we went there ${i} times.`,
            })),
          },
        },
      },
      training: { maxLength: 24, learningRate: 0.01, maxSteps: 8, perDeviceTrainBatchSize: 3, seed: 4, ...training },
    }) as unknown as RunSpec;
  const losses = async (own: RunSpec): Promise<number[]> => {
    const lengths: number[] = [];
    for await (const event of trainRun(compose(own, catalog), await hostHere(1), {})) {
      if (event.type === "step") lengths.push(event.loss);
    }
    return lengths;
  };
  const ids = (sample: Sample | undefined, name: string): number[] => [
    ...(sample?.sequences[0]?.fields[name]?.data ?? []) as Int32Array,
  ];

  // In T5's way a single span always stands last; with this density there are several.
  const tasks = [
    ["t5-seq2seq-full", { use: "span-corruption", with: { noiseDensity: 0.4 } }],
    ["bart-seq2seq-full", { use: "denoising" }],
  ] as const;
  for (const [model, task] of tasks) {
    it(`of ${task.use} draws anew in each epoch, the same for a seed, and learns`, async () => {
      const run = compose(spec(model, task), catalog);
      const open = await openRun(run, await hostHere(1));
      const data = run.data.train;
      assert.ok(data);
      const [one, again] = [await encodeRows(open, data, true), await encodeRows(open, data, true)];
      const samples = await allSamples(one);
      const idsOf = async (rows: EncodedRows, place: number, epoch: number, name: string) =>
        ids((await rows.samples([place], epoch))[0], name);
      assert.ok(samples.every((s) => (s.sequences[0]?.length ?? 99) <= 24));
      assert.deepEqual(ids(samples[0], "input_ids"), await idsOf(again, 0, 0, "input_ids"));
      assert.deepEqual(await idsOf(one, 0, 0, "input_ids"), ids(samples[0], "input_ids"));
      assert.deepEqual(await idsOf(one, 1, 3, "labels"), await idsOf(again, 1, 3, "labels"));
      assert.notDeepEqual(await idsOf(one, 0, 1, "input_ids"), ids(samples[0], "input_ids"));
      const [a, b] = [await losses(spec(model, task)), await losses(spec(model, task))];
      assert.deepEqual(a, b);
      assert.ok((a.at(-1) ?? 9) < (a[0] ?? 0) - 0.05, `${a}`);
      assert.notDeepEqual(a, await losses(spec(model, task, { seed: 5 })));
    });
  }

  it("of denoising may have its sentences in another order, and tells the whole text as it was", async () => {
    const rows = [{ text: "the food was great. the phone was awful. we went there." }];
    const task = { use: "denoising", with: { maskRatio: 0.01, permuteSentenceRatio: 1 } };
    const own = { ...spec("bart-seq2seq-full", task), data: { train: { use: "memory", with: { rows } } } };
    const run = compose(own, catalog);
    const open = await openRun(run, await hostHere(1));
    assert.ok(run.data.train);
    const encoded = await encodeRows(open, run.data.train, true);
    const all: Sample[] = [];
    for (let epoch = 0; epoch < 20; epoch++) all.push(...await encoded.samples([0], epoch));
    const texts = all.map((sample) => open.tokenizer.decode(ids(sample, "input_ids"), { skipSpecialTokens: true }));
    assert.ok(new Set(texts.map((text) => text.trim().slice(0, 8))).size > 2, texts.join("\n"));
    const [first] = all;
    for (const sample of all) assert.deepEqual(ids(sample, "labels"), ids(first, "labels"));
    assert.match(
      catalog.collator?.denoising?.parse({ permuteSentenceRatio: 1 }).issues?.[0]?.message ?? "",
      /span corruption/,
    );
  });

  it("says that a tokenizer has no sentinels", async () => {
    await assert.rejects(losses(spec("bart-seq2seq-full", "span-corruption")), /extra_id_0/);
  });
});
