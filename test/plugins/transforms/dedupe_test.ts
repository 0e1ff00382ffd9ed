import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  bandsFor,
  contaminatedRows,
  exactClusters,
  hashSet,
  jaccard,
  nearClusters,
  nearPairs,
  shinglesOf,
  wordsOf,
} from "../../../blocks/transform/mod.ts";
import { createHashTable } from "../../../core/data/hash_table.ts";
import { hashOf } from "../../../core/data/text_hash.ts";
import { checksOf } from "../../../conformance/mod.ts";
import { createRandom } from "../../../core/math/random.ts";
import type { Row } from "../../../core/types.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { decontaminate } from "../../../plugins/transforms/decontaminate.ts";
import { dedupe } from "../../../plugins/transforms/dedupe.ts";
import { itPasses } from "../../checks.ts";
import { itHolds } from "../../reference/evaluation/mod.ts";
import { columns, openThrough, through } from "./run_transforms.ts";

const rows: Row[] = [
  { text: "a fine film", label: 1 },
  { text: "a fine film", label: 0 },
  { text: "dull", label: 0 },
  { text: "a fine film", label: 1 },
  { text: "A fine film!", label: 1 },
  { text: "dull", label: 0 },
];
const at = (...indices: number[]): Row[] => indices.map((i) => rows[i] ?? {});

itPasses("dedupe", checksOf(dedupe(), { rows, expected: at(0, 1, 2, 4), other: dedupe({ columns: ["text"] }) }));
itPasses(
  "dedupe of near duplicates",
  checksOf(dedupe({ near: true, keep: "longest" }), { rows, expected: at(2, 4), other: dedupe() }),
);
const seen: Row[] = [{ text: "What a fine film, the best of the year." }, { text: "Dull!" }];
const evaluated = memory({ rows: seen });
itPasses(
  "decontaminate",
  checksOf(decontaminate({ against: [evaluated], ngram: 3 }), {
    rows,
    expected: [],
    other: decontaminate({ against: [evaluated], ngram: 4 }),
  }),
);

/** Texts whose similarity to an earlier one lies anywhere between none and all. */
function corpus(count: number): string[] {
  const random = createRandom(7);
  const word = (at: number): string => `w${Math.floor(400 * random.fork("word").uniform(at))}`;
  const texts: string[] = [];
  for (let i = 0; i < count; i++) {
    const words = Array.from({ length: 30 }, (_, k) => word(100 * i + k));
    const copied = texts[Math.floor(i * random.fork("from").uniform(i))]?.split(" ");
    const changes = Math.floor(8 * random.fork("changes").uniform(i));
    if (!copied || random.fork("copies").uniform(i) < 0.5) texts.push(words.join(" "));
    else {
      const cut = Math.floor(20 * random.fork("at").uniform(i));
      texts.push(copied.map((old, k) => (k >= cut && k < cut + changes ? words[k] : old)).join(" "));
    }
  }
  return texts;
}

const stream = <T>(texts: readonly T[]): AsyncIterable<T> => ({
  [Symbol.asyncIterator]: async function* () {
    yield* texts;
  },
});
const near = { threshold: 0.8, ngram: 3, permutations: 256, bands: null, rows: null };

describe("near duplicates", () => {
  it("are the pairs that comparing all with all gives, and no others", async () => {
    const texts = corpus(900);
    const sets = texts.map((text) => hashSet(shinglesOf(text, 3)));
    const plain = texts.map((text) => {
      const words = wordsOf(text);
      return new Set(words.slice(2).map((_, i) => words.slice(i, i + 3).join(" ")));
    });
    const parent = texts.map((_, i) => i);
    const rootOf = (i: number): number => (parent[i] === i ? i : rootOf(parent[i] ?? i));
    let pairs = 0;
    for (let i = 0; i < texts.length; i++) {
      for (let j = 0; j < i; j++) {
        const [a, b] = [plain[i] ?? new Set(), plain[j] ?? new Set()];
        const both = [...a].filter((one) => b.has(one)).length;
        const similarity = both / (a.size + b.size - both);
        const found = jaccard(sets[i] ?? new Uint32Array(), sets[j] ?? new Uint32Array());
        assert.ok(Math.abs(found - similarity) < 1e-12, `${found} for ${similarity}`);
        if (similarity < near.threshold) continue;
        pairs++;
        parent[Math.max(rootOf(i), rootOf(j))] = Math.min(rootOf(i), rootOf(j));
      }
    }
    const { first } = await nearClusters("test", stream(texts), near);
    const wanted = texts.map((_, i) => rootOf(i));
    const [missed, wrong] = [[0, 1], [1, 0]].map(([a]) =>
      texts.filter((_, i) => (a === 0 ? first[i] === i && wanted[i] !== i : first[i] !== i && wanted[i] === i)).length
    );
    const duplicates = wanted.filter((root, i) => root !== i).length;
    assert.ok(pairs > 100 && duplicates > 100, `${pairs} pairs, ${duplicates} duplicates`);
    assert.equal(wrong, 0);
    assert.ok((missed ?? 1) / duplicates <= 0.05, `${missed} of ${duplicates} are missed`);
  });
  it("are the same ones where bands are gone through in parts, as memory asks for it", async () => {
    const texts = Array.from({ length: 9000 }, (_, i) => `text number ${Math.floor(i / 3)} of a large ${i % 3} corpus`);
    const options = { ...near, permutations: 64, ngram: 2, threshold: 0.5 };
    const whole = await nearClusters("test", stream(texts), options);
    let passes = 0;
    const counted = {
      [Symbol.asyncIterator]: () => {
        passes++;
        return stream(texts)[Symbol.asyncIterator]();
      },
    };
    const [bands] = bandsFor("test", options);
    assert.deepEqual(await nearClusters("test", counted, options, { keys: 4 * 9000 * 2 }), whole);
    assert.ok(bands > 6 && passes >= 1 + bands / 4 && passes <= 2 + bands / 2, `${passes} passes, ${bands} bands`);
    assert.ok(whole.first.filter((first, i) => first !== i).length > 3000);
  });
  it("are the same ones where the rows that have candidates are gone through in parts", async () => {
    const texts = Array.from(
      { length: 3000 },
      (_, i) =>
        i % 7 === 0
          ? "one and the same text, again and again"
          : `text number ${Math.floor(i / 3)} of a large ${i % 3} corpus`,
    );
    const options = { ...near, permutations: 64, ngram: 2, threshold: 0.5 };
    const whole = await nearClusters("test", stream(texts), options);
    let passes = 0;
    const counted = {
      [Symbol.asyncIterator]: () => {
        passes++;
        return stream(texts)[Symbol.asyncIterator]();
      },
    };
    const parts = await nearClusters("test", counted, options, { compared: 200_000 });
    assert.deepEqual(parts.first, whole.first);
    assert.ok(passes > 6 && passes < 60, `${passes} passes`);
    assert.ok(whole.first.filter((first, i) => first !== i).length > 1000);
  });
  it("of two sets are the same ones where the other set is gone through in parts", async () => {
    const rowsOf = (texts: readonly string[]) => ({
      [Symbol.asyncIterator]: async function* () {
        for (const text of texts) yield { text, hash: hashOf(text) };
      },
    });
    // A group of words each, of which the other set has two rows.
    const textOf = (group: number, i: number): string =>
      `${["one", "two", "three", "four", "five", "six"].map((word) => `${word}${group}`).join(" ")} end${i}`;
    const rows = Array.from({ length: 300 }, (_, i) => textOf(2 * i, 0));
    const other = Array.from({ length: 600 }, (_, i) => textOf(Math.floor((i * 7 % 600) / 2), 1 + i % 3));
    const options = { ...near, permutations: 64, ngram: 2, threshold: 0.5, mostNamed: 20 };
    const whole = await nearPairs("test", rowsOf(rows), rowsOf(other), options);
    assert.ok(whole.rows > 100 && whole.other > 100 && whole.first.length === 20, JSON.stringify(whole).slice(0, 200));
    assert.deepEqual(await nearPairs("test", rowsOf(rows), rowsOf(other), options, 30_000), whole);
  });
  it("take time in proportion to their number, however many are the same", async () => {
    const texts = Array.from(
      { length: 20_000 },
      (_, i) => (i % 2 === 0 ? "one and the same text" : `text number ${i}`),
    );
    const { first } = await nearClusters("test", stream(texts), { ...near, permutations: 32 });
    assert.equal(first.filter((cluster) => cluster === 0).length, 10_000);
  });
  it("have bands that miss one pair in a hundred at the threshold", () => {
    for (const threshold of [0.5, 0.7, 0.8, 0.9, 0.95]) {
      const [bands, size] = bandsFor("test", { ...near, threshold });
      assert.ok(bands * size <= 256);
      assert.ok(1 - (1 - threshold ** size) ** bands >= 0.95, `${bands} x ${size} at ${threshold}`);
    }
    assert.deepEqual(bandsFor("test", { ...near, bands: 16 }), [16, 16]);
    assert.throws(() => dedupe({ near: true, bands: 32, rows: 16 }), { message: /at most 256 permutations/ });
  });
  it("stand in no task's columns: the columns that are named must be there", async () => {
    await assert.rejects(through(rows, [dedupe({ columns: ["txet"] })]), { code: "UNKNOWN_COLUMN" });
    assert.equal((await through([{ a: 1 }, { a: 2 }, { a: 1 }], [dedupe({ near: true })])).length, 2);
    const { transforms } = await openThrough(rows, [dedupe({ near: true })]);
    assert.deepEqual(transforms?.[0]?.dropped, { duplicate: 3, "near duplicate": 1 });
  });
});

it("ready-made rows are compared by what the model reads, not by their label alone", async () => {
  const made = [[1, 2], [1, 3], [1, 2]].map((input_ids, id) => ({ input_ids, labels: 1, id }));
  assert.deepEqual(await through(made, [dedupe()]), made.slice(0, 2));
  assert.deepEqual(await through(made, [dedupe()], { columns: columns.questions }), made.slice(0, 2));
  assert.deepEqual(await through(made, [dedupe({ columns: ["labels"] })]), made.slice(0, 1));
});

it("equal texts are told by hashes in tables that grow", async () => {
  const texts = Array.from({ length: 5000 }, (_, i) => `text ${i % 3000}`);
  const { first } = await exactClusters(stream(texts));
  assert.deepEqual([...first], texts.map((_, i) => i % 3000));
  const table = createHashTable();
  for (let i = 0; i < 5000; i++) table.set(hashOf(`${i}`), i);
  assert.equal(table.size, 5000);
  for (let i = 0; i < 5000; i++) assert.equal(table.get(hashOf(`${i}`)), i);
  assert.equal(table.get(hashOf("none")), undefined);
});

describe("contamination", () => {
  it("is what the spec's other splits say, in whatever case; eval itself stays", async () => {
    const splits = { eval: evaluated };
    const texts = [{ text: "A FINE film" }, { text: "dull" }, { text: "a bad film" }];
    const step = decontaminate({ ngram: 3 });
    assert.deepEqual(await through(texts, [step], { splits, split: "train" }), texts.slice(2));
    const opened = await openThrough(texts, [decontaminate({ ngram: 3, action: "report" })], {
      splits,
      split: "train",
    });
    assert.equal(opened.length, 3);
    assert.deepEqual(opened.transforms?.[0]?.changed, { "words of eval": 2 });
    assert.deepEqual(await through(seen, [step], { splits, split: "eval" }), seen);
  });
  it("says where there is nothing to compare", async () => {
    const texts = [{ text: "a fine film" }];
    await assert.rejects(
      through(texts, [decontaminate()], { split: "train" }),
      { code: "BAD_VALUE", message: /against.*neither eval nor test/ },
    );
    const other = memory({ rows: [{ review: "a fine film" }] });
    await assert.rejects(
      through(texts, [decontaminate({ against: [other] })], { split: "train" }),
      /rows of memory with no text there \(they have review\)/,
    );
    await assert.rejects(
      through([{ input_ids: [1, 2] }], [decontaminate()], { splits: { test: evaluated }, split: "train" }),
      /rows of train with no text there/,
    );
  });
  it("passes over runs of words that many rows have", async () => {
    const letters = Array.from({ length: 200 }, (_, i) => `dear sir or madam, number ${i}`);
    const forbidden = stream([{ text: "dear sir or madam, this is new", of: 0 }]);
    const found = await contaminatedRows(stream([...letters, "and this is new"]), forbidden, 3);
    assert.deepEqual([found.indexOf(1), found.length], [200, 201]);
  });
  it("is the same however few runs are in memory at one time", async () => {
    const random = createRandom(5).fork("contamination");
    const text = (_: unknown, at: number): string =>
      Array.from({ length: 8 }, (_, i) => `w${Math.floor(random.uniform(8 * at + i) * 6)}`).join(" ");
    const [rows, forbidden] = [
      Array.from({ length: 90 }, text),
      Array.from({ length: 40 }, (_, of) => ({ text: text(_, 90 + of), of })),
    ];
    const whole = await contaminatedRows(stream(rows), stream(forbidden), 4);
    assert.ok(new Set(whole).size > 10);
    for (const most of [100, 7]) {
      assert.deepEqual(await contaminatedRows(stream(rows), stream(forbidden), 4, most), whole);
    }
  });
});

await itHolds("duplicates");
await itHolds("contamination");
