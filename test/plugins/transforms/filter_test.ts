import assert from "node:assert/strict";
import { it } from "node:test";
import { checksOf, memoryStore } from "../../../conformance/mod.ts";
import { filter } from "../../../plugins/transforms/filter.ts";
import { tinyTokenizer } from "../../tiny.ts";
import { itPasses } from "../../checks.ts";
import { soon } from "../../soon.ts";
import { openThrough, through } from "./run_transforms.ts";
import { hf } from "../../../plugins/tokenizers/hf.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";

const rows = [
  { text: "A fine film.", label: "5" },
  { text: "bad", label: 1 },
  { text: "😀😀", label: 3 },
  { text: "It was not what I had hoped for.", label: 5 },
];
const texts = async (options: Parameters<typeof filter>[0]) =>
  (await through(rows, [filter(options)])).map((row) => row.text);

itPasses(
  "filter",
  checksOf(filter({ minLength: 4 }), { rows, expected: [rows[0]!, rows[3]!], other: filter({ minLength: 3 }) }),
);

it("keeps rows by value, among values, by expression and by length, all together, or the others", async () => {
  assert.deepEqual(await texts({ column: "label", equals: 5 }), ["A fine film.", "It was not what I had hoped for."]);
  assert.deepEqual(await texts({ column: "label", in: ["1", 3] }), ["bad", "😀😀"]);
  assert.deepEqual(await texts({ matches: "^\\p{Lu}" }), ["A fine film.", "It was not what I had hoped for."]);
  assert.deepEqual(await texts({ matches: "(?i)FILM", maxLength: 11 }), []);
  // Characters are code points.
  assert.deepEqual(await texts({ maxLength: 2 }), ["😀😀"]);
  assert.deepEqual(await texts({ matches: "film|bad", not: true }), ["😀😀", "It was not what I had hoped for."]);
});

it("counts what it drops by the first condition that fails", async () => {
  const [report] = (await openThrough(rows, [filter({ minLength: 3, matches: "fi" })])).transforms ?? [];
  assert.deepEqual(report?.dropped, { minLength: 1, matches: 2 });
  assert.deepEqual(report?.rows[0], { row: 1, action: "dropped", reason: "matches" });
});

it("counts tokens as the model gets them", async () => {
  const store = memoryStore({ "tokenizer.json": jsonBytes(tinyTokenizer) });
  const tokenizer = async () => await hf().open(store);
  const found = await through([{ text: "the film was good ." }, { text: "good" }], [filter({ maxTokens: 3 })], {
    tokenizer,
  });
  // [CLS] good [SEP]
  assert.deepEqual(found, [{ text: "good" }]);
});

it("takes a number for its text, however it is written", async () => {
  const numbers = ["1.0", 1, "1", "01", true, null, "a"].map((n) => ({ text: "x", n }));
  assert.deepEqual(await through(numbers, [filter({ column: "n", equals: 1 })]), numbers.slice(0, 4));
  assert.deepEqual(await through(numbers, [filter({ column: "n", equals: "1" })]), numbers.slice(1, 3));
});

it("tells languages apart", async () => {
  const two = [
    { text: "The weather was fine and we went to the sea with our children." },
    { text: "Das Wetter war schön und wir fuhren mit unseren Kindern an das Meer." },
  ];
  assert.deepEqual(await through(two, [filter({ language: "de" })]), [two[1]]);
  assert.deepEqual(await through(two, [filter({ language: ["en", "fr"] })]), [two[0]]);
  await assert.rejects(through(two, [filter({ language: "klingon" })]), /unknown language "klingon"/i);
});

it("matches in linear time, and says what is wrong with an expression", async () => {
  const long = [{ text: "a".repeat(50_000) + "!" }];
  // Backtracking would not end.
  assert.deepEqual(await soon(() => through(long, [filter({ matches: "^(a+)+$" })])), []);
  await assert.rejects(through(rows, [filter({ matches: "(a" })]), /matches.*RE2.*missing closing \)/);
  await assert.rejects(through(rows, [filter({ matches: "a(?=b)" })]), /matches.*without look-ahead/);
});

it("refuses what asks for nothing, and names columns that are not there", async () => {
  assert.throws(() => filter({}), /one of the conditions/);
  await assert.rejects(
    through(rows, [filter({ column: "txt", equals: "a" })]),
    /row 0 has no column "txt", did you mean "text"\?/,
  );
});
