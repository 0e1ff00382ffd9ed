import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Batch, Row, Tensor, TrainingEvent } from "../../../core/types.ts";
import { questionAnswering as questionAnsweringCollator } from "../../../plugins/collators/question_answering.ts";
import { questionAnswering } from "../../../plugins/tasks/question_answering.ts";
import { predicted, specOf, trained } from "./helpers.ts";

// "😀" is two UTF-16 units and one code point.
const contexts = ["😀 the film was very good .", "the food was awful but the phone was great !"];
const answers = [{ text: ["very good"], answer_start: [15] }, { text: ["awful", "great"], answer_start: [13, 38] }];
const rows: readonly Row[] = Array.from({ length: 8 }, (_, i) => ({
  question: "  a film",
  context: contexts[i % 2],
  answers: i === 7 ? { text: [], answer_start: [] } : answers[i % 2],
}));
const task = { use: "question-answering", with: { docStride: 3, version2WithNegative: true } };

describe("question-answering", () => {
  it("labels the answer's tokens in the windows that hold it, [CLS] in the others", async () => {
    const { file } = await trained(specOf(task, rows, { training: { maxLength: 12, maxSteps: 1 } }));
    const probe = await file("probe.json") as Record<string, number[][]>;
    // [CLS] a film [SEP] [UNK] the film was very good . [SEP], then 10 tokens in windows of 7, 3 of them shared.
    assert.deepEqual(probe.tokenizationLabels?.slice(0, 3), [[8, 9], [7, 7], [0, 0]]);
    assert.deepEqual(probe.features, { train: 12, eval: 12 });
  });

  it("takes answer_start where the answer stands, in code points or UTF-16 units, and says so", async () => {
    const of = async (starts: readonly number[]): Promise<{ labels: unknown; events: readonly TrainingEvent[] }> => {
      const own = starts.map((start, i) => ({
        ...rows[i],
        answers: { text: [answers[i]?.text[0]], answer_start: [start] },
      }));
      const { file, events } = await trained(specOf(task, own, { training: { maxLength: 24, maxSteps: 1 } }));
      return { labels: (await file("probe.json") as Record<string, unknown>).tokenizationLabels, events };
    };
    const warningsOf = (events: readonly TrainingEvent[]): string[] =>
      events.flatMap((e) => (e.type === "warning" && /UTF-16/.test(e.message) ? [e.message] : []));
    const [points, utf16] = [await of([15, 13]), await of([16, 13])];
    assert.deepEqual(utf16.labels, points.labels);
    assert.deepEqual(warningsOf(points.events), []);
    assert.match(warningsOf(utf16.events)[0] ?? "", /data\.train: answer_start of 1 row counts UTF-16 units/);
    await assert.rejects(
      of([17, 13]),
      /row 0, column "answers", answer_start: expected the position of "very good" in the context .* but found "17, where/,
    );
    await assert.rejects(of([15, 14]), /row 1, column "answers", answer_start/);
  });

  it("counts all rows alike where a place would fit twice", async () => {
    const { survey } = questionAnsweringCollator();
    const context = "😀 a b a";
    const row = (answer_start: number, answer: string): Row => ({
      question: "a",
      context,
      answers: { text: [answer], answer_start: [answer_start] },
    });
    // "b" stands at 5 in units alone, so that the "a" at 3 is the first one.
    const asked = [row(5, "b"), row(3, "a")];
    const reading = (rows: readonly Row[]): unknown => {
      const looking = survey?.();
      for (const own of rows) looking?.add(own);
      return looking?.end().reading;
    };
    assert.deepEqual(reading(asked), "utf16");
    assert.deepEqual(reading([row(4, "b"), row(2, "a")]), "codepoint");
  });

  it("learns, and answers with text and its place", async () => {
    const spec = specOf(task, rows.slice(0, 2), { training: { numTrainEpochs: 40, maxLength: 12 } });
    const { losses, metrics } = await trained(spec);
    assert.ok((losses.at(-1) ?? NaN) < 0.3, `${losses.at(-1)}`);
    assert.equal(metrics["squad-v2_exactMatch"], 100);
  });

  it("gives one prediction a row, however many windows and batches it spans", async () => {
    const asked = rows.map(({ question, context }) => ({ question, context }));
    const answers = await predicted(specOf(task, rows, { training: { maxLength: 9 } }), asked);
    assert.equal(answers.length, rows.length);
    for (const [i, { spans }] of answers.entries()) {
      const list = spans as { text: string; start: number; end: number; score: number }[];
      assert.ok(list.length > 0 && list.length <= 20);
      for (const { text, start, end } of list) assert.equal(text, contexts[i % 2]?.slice(start, end));
      assert.deepEqual(list.map((s) => s.score), list.map((s) => s.score).toSorted((a, b) => b - a));
    }
  });

  it("takes the best span over a row's windows, or none where [CLS] beats it", () => {
    const context = "good food, nice phone";
    const about = (inContext: number[]) => ({
      context,
      offsets: Int32Array.of(0, 0, 0, 4, 5, 9, 11, 15, 16, 21),
      inContext: Int32Array.from(inContext),
      cls: 0,
      answers: ["nice"],
    });
    const places = Int32Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? Math.floor(i / 10) : ((i - 1) / 2) % 5));
    const batch = {
      inputs: {},
      batch: 2,
      seq: 5,
      samples: 2,
      sequences: 2,
      tokens: 10,
      rows: Int32Array.of(0, 0),
      tokenOrigins: places,
      metadata: [about([0, 1, 1, 0, 0]), about([0, 0, 0, 1, 1])],
    } as unknown as Batch;
    const logits = (...values: number[]): Tensor => ({
      dtype: "float32",
      dims: [2, 5],
      data: Float32Array.from(values),
    });
    const outputs = (cls: number) => ({
      // Token 1 of the second window is not of the context, and an end before its start is none.
      startLogits: logits(cls, 1, 2, 9, 9, cls + 5, 9, 9, 3, 0),
      endLogits: logits(cls, 4, 0, 9, 9, cls + 5, 9, 9, 4, 1),
    });
    const answer = (cls: number, options: object) => {
      const [objective] = questionAnswering(options).subtasks;
      const [answer] = objective?.predict(outputs(cls), batch, {} as never) ?? [];
      return [answer?.text, (answer?.spans as { text: string }[]).map((s) => s.text)];
    };
    const all = ["nice", "good", "nice phone", "food", "good food", "phone"];
    assert.deepEqual(answer(9, {}), ["nice", all]);
    // Nothing scores 2 · cls in the window that says it least.
    assert.equal(answer(3.4, { version2WithNegative: true })[0], "nice");
    assert.equal(answer(3.6, { version2WithNegative: true })[0], "");
    assert.equal(answer(3.6, { version2WithNegative: true, nullScoreDiffThreshold: 0.5 })[0], "nice");
    assert.deepEqual(answer(9, { maxAnswerLength: 1 })[1], ["nice", "good", "food", "phone"]);
    assert.deepEqual(answer(9, { nBestSize: 2 })[1], ["nice", "good"]);
  });

  it("names what is wrong with a row", async () => {
    const wrong: readonly (readonly [Row, RegExp])[] = [
      [
        { question: "a", context: "b", answers: { text: ["b"], answer_start: [] } },
        /text and answer_start, lists of one/,
      ],
      [{ question: "a", context: "b", answers: { text: ["b"], answer_start: [1] } }, /expected the position of "b"/],
      [{ question: "a", context: "b" }, /no column "answers"/],
    ];
    for (const [row, message] of wrong) await assert.rejects(trained(specOf(task, [row])), message);
    const stride = { use: "question-answering", with: { docStride: 9 } };
    await assert.rejects(trained(specOf(stride, rows, { training: { maxLength: 12 } })), /stride/);
  });
});
