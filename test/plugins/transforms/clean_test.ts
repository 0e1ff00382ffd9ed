import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cleaned } from "./clean_cases.ts";
import { normalizeForm } from "../../../blocks/transform/mod.ts";
import { checksOf } from "../../../conformance/mod.ts";
import { clean } from "../../../plugins/transforms/clean.ts";
import { itPasses } from "../../checks.ts";
import { itHolds } from "../../reference/evaluation/mod.ts";
import { columns, openThrough, through } from "./run_transforms.ts";

const dirty = [{ text: "  A <b>fine</b>\u0000  film &amp;c. " }, { text: "as it is" }, { text: "\u200b " }];
itPasses(
  "clean",
  checksOf(clean({ missing: "drop" }), {
    rows: dirty,
    expected: [{ text: "A fine film &c." }, { text: "as it is" }],
    other: clean({ missing: "drop", html: false }),
  }),
);

describe("cleaning a text", () => {
  for (const [what, options, before, after] of cleaned) {
    it(what, async () => assert.deepEqual(await through([{ text: before }], [clean(options)]), [{ text: after }]));
  }
  it("leaves lists, messages and words with what else they have", async () => {
    const chat = [{
      messages: [{ role: "user", content: " a  b " }, { role: "assistant", content: [{ type: "text", text: "<p>x" }] }],
    }];
    assert.deepEqual(await through(chat, [clean()], { columns: { texts: ["messages"] } }), [
      { messages: [{ role: "user", content: "a b" }, { role: "assistant", content: [{ type: "text", text: "x" }] }] },
    ]);
    const words = [{ tokens: ["The", "<b>", "ﬁlm", ""], tags: ["O", "X", "B", "O"] }];
    assert.deepEqual(await through(words, [clean({ unicode: "NFKC" })], { columns: columns.tags }), [
      { tokens: ["The", "film", ""], tags: ["O", "B", "O"] },
    ]);
  });
});

it("answers move with their context, in the unit that they count in", async () => {
  const context = "😀  In <i>Cafe\u0301</i>  Noir &amp; bar.";
  const answer = "Cafe\u0301</i>  Noir";
  for (const start of [[...context.slice(0, context.indexOf(answer))].length, context.indexOf(answer)]) {
    const row = { question: "Where? ", context, answers: { text: [answer], answer_start: [start] } };
    const [cleaned] = await through([row], [clean()], { columns: columns.questions });
    assert.equal(cleaned?.question, "Where?");
    assert.equal(cleaned?.context, "😀 In Café Noir & bar.");
    const { text, answer_start: [at = 0] } = cleaned?.answers as { text: string[]; answer_start: number[] };
    assert.deepEqual(text, ["Café Noir"]);
    const isUnits = start !== [...context.slice(0, start)].length && context.startsWith(answer, start);
    const there = isUnits ? String(cleaned?.context).slice(at) : [...String(cleaned?.context)].slice(at).join("");
    assert.ok(there.startsWith("Café Noir"), there);
  }
  const gone = { question: "?", context: "a <b> c", answers: { text: ["<b>"], answer_start: [2] } };
  await assert.rejects(
    through([gone], [clean()], { columns: columns.questions }),
    /row 0, column "answers".*not empty/,
  );
  const wrong = { question: "?", context: "a  c", answers: { text: ["b"], answer_start: [2] } };
  await assert.rejects(
    through([wrong], [clean()], { columns: columns.questions }),
    /row 0, column "answers".*found in its text/,
  );
});

it("missing texts are an error that names the row, dropped, or filled", async () => {
  const rows = [{ text: "a", textPair: null }, { text: " " }, { label: 1 }];
  await assert.rejects(through(rows, [clean()]), /row 1, column "text".*no text/);
  const opened = await openThrough(rows, [clean({ missing: "drop" })]);
  assert.deepEqual(opened.transforms?.[0]?.dropped, { missing: 2 });
  assert.equal(opened.length, 1);
  assert.deepEqual((await through(rows, [clean({ missing: { fill: "?" } })])).map((row) => row.text), ["a", "?", "?"]);
  await assert.rejects(
    through(rows, [clean({ columns: ["textPair"], missing: "drop" })]),
    /row 1 has no column "textPair"/,
  );
});

it("says of each row why it was changed, and of which rule dropped it", async () => {
  const rows = [{ text: "a  b" }, { text: "<i>a" }, { text: "# # # a b" }];
  const [report] = (await openThrough(rows, [clean({ quality: { maxSymbolWordRatio: 0.5 } })])).transforms ?? [];
  assert.deepEqual(report?.changed, { whitespace: 1, html: 1 });
  assert.deepEqual(report?.dropped, { gopher_too_many_hashes: 1 });
});

it("a normal form holds whole, where characters change across what is seen as one", () => {
  for (const text of ["e\u0301 ﬁ", "\u1100\u1161\u11a8", "a\u0328\u0301", "\u0f40\u0fb5", "한글 x"]) {
    for (const form of ["NFC", "NFD", "NFKC", "NFKD"] as const) {
      const { text: cleanedText, start, end } = normalizeForm(text, form);
      assert.equal(cleanedText, text.normalize(form));
      assert.deepEqual([start(0), end(text.length)], [0, cleanedText.length]);
    }
  }
});

await itHolds("quality");
