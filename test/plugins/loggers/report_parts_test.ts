/** What a report says beyond classes: entities, answers, lengths, groups, and samples before against now. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Example, Json, TrainingEvent } from "../../../core/types.ts";
import { analyze } from "../../../plugins/loggers/report/analysis.ts";
import { breakdowns } from "../../../plugins/loggers/report/breakdown.ts";
import { createCollector } from "../../../plugins/loggers/report/collect.ts";
import { dataSection } from "../../../plugins/loggers/report/data.ts";
import { markupOf } from "../../../blocks/page/html.ts";
import { samplesSection } from "../../../plugins/loggers/report/samples.ts";
import { groupSections } from "../../../plugins/loggers/report/tables.ts";

const tagged = (row: number, reference: string, prediction: string): Example => ({
  row,
  text: "word ".repeat(row + 2),
  reference: reference.split(" "),
  prediction: prediction.split(" "),
  words: reference.split(" ").map((_, i) => `w${i}`),
});

describe("a report's parts", () => {
  it("entities: how each true one was found, and those that are not there", () => {
    const pairs = [
      ["B-PER I-PER O", "B-PER I-PER O"],
      ["B-PER I-PER O", "B-LOC I-LOC O"],
      ["B-PER I-PER O", "B-PER O O"],
      ["B-PER I-PER O", "O O B-LOC"],
      ...Array.from({ length: 4 }, () => ["B-LOC O O", "B-LOC O O"]),
    ];
    const examples = pairs.map(([a = "", b = ""], i) => tagged(i, a, b));
    const [entities, lengths] = breakdowns("tags", examples, examples.map(() => 1));
    assert.deepEqual(entities?.rows, [
      ["PER", 4, 0.25, 0.25, 0.25, 0.25, 0],
      ["LOC", 4, 1, 0, 0, 0, 1],
    ]);
    assert.equal(lengths?.title, "By length of the text");
    assert.equal(lengths.rows.reduce((n, row) => n + Number(row[1]), 0), 8);
  });

  it("texts: by kind and length of the answer, length of the text, overlap", () => {
    const answers = ["1999", "in two words", "Ada Lovelace", "yes", "12", "", "the red door", "no"];
    const examples = answers.map((reference, row): Example => ({
      row,
      text: "x".repeat(10 * (row + 1)),
      reference: row === 1 ? [reference, "two"] : reference,
      prediction: row === 6 ? "a red door" : reference,
    }));
    const tables = breakdowns("other", examples, answers.map((_, i) => Number(i !== 6)));
    const of = (title: string): readonly (readonly (string | number)[])[] =>
      tables.find((table) => table.title === title)?.rows ?? [];
    const kinds = Object.fromEntries(of("By kind of answer").map(([kind, n]) => [kind, n]));
    assert.deepEqual(kinds, { "yes or no": 2, "year or date": 1, number: 1, name: 1, phrase: 2, empty: 1 });
    assert.deepEqual(of("By overlap with the answer").map((row) => row[1]), [0, 0, 1, 7]);
    for (const title of ["By length of the answer", "By length of the text"]) {
      assert.equal(of(title).reduce((n, row) => n + Number(row[1]), 0), 8, title);
    }
  });

  it("groups: figures with intervals, and gaps", () => {
    const figures: { readonly [key: string]: Json } = {
      accuracy_by_region: { north: { value: 0.5, value_interval: [0.25, 0.75], count: 8 } },
      "demographic-parity": {
        difference: 0.125,
        difference_by_chance: 0.0625,
        difference_by_chance_interval: [0, 0.25],
        ratio: null,
        groups: { f: { count: 9, leftOut: true } },
      },
    };
    const page = markupOf(groupSections(figures));
    assert.match(page, /By region[^]*accuracy[^]*north[^]*8[^]*0\.50* \(0\.250* to 0\.750*\)/);
    assert.match(page, /difference 0\.1250*, by chance 0\.06250* \(0 to 0\.250*\); ratio –[^]*too few rows/);
    const event = { type: "examples", step: 1, epoch: 1, phase: "after", task: "", labels: [], metrics: {} } as const;
    assert.deepEqual(analyze({ ...event, figures, examples: [] }, 3).figures, figures);
  });

  it("data: what transforms did to each split, by reason, and leaks; no row's text where none is wanted", () => {
    const report = { use: "clean", in: 1000, out: 990, dropped: { missing: 10 }, changed: {}, added: {}, rows: [] };
    const reasons = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`<b>${i}`, i + 1]));
    const at = { step: 0, epoch: 0 };
    const events: TrainingEvent[] = [
      { ...at, type: "data", what: "data.train", in: 1000, out: 5, transforms: [report] },
      // A run that goes on tells it again.
      {
        ...at,
        type: "data",
        what: "data.train",
        in: 1000,
        out: 1200,
        transforms: [report, { ...report, use: "augment", in: 990, out: 1200, dropped: {}, added: reasons }],
      },
      { ...at, type: "data", what: "data.test", in: 50, out: 50, transforms: [] },
      {
        ...at,
        type: "warning",
        code: "LEAKS",
        message: 'data: 3 of 50 rows: train row 1 = test row 2: "a \\"secret\\" text"',
      },
    ];
    const [shown, hidden] = [20, 0].map((worst) => {
      const collector = createCollector(() => 0, worst);
      for (const event of events) collector.log(event);
      const resumed = createCollector(() => 0, worst);
      resumed.restore(JSON.parse(JSON.stringify(collector.state())));
      assert.deepEqual(resumed.collected().data, collector.collected().data);
      return markupOf(dataSection(resumed.collected()));
    });
    assert.match(
      shown ?? "",
      /data\.train<\/b> 1000 rows → 1200<[^]*clean<[^]*990<[^]*10 missing<[^]*augment</,
    );
    assert.match(shown ?? "", /8 &lt;b&gt;7, 7 &lt;b&gt;6,[^<]*, 3 for other reasons<[^]*data\.test<\/b> 50 rows</);
    assert.match(shown ?? "", /3 of 50 rows[^<]*secret/);
    assert.match(hidden ?? "", /3 of 50 rows: train row 1 = test row 2: &quot;…&quot;/);
    assert.ok(!hidden?.includes("secret"));
    assert.equal(dataSection(createCollector(() => 0, 1).collected()), undefined);
  });

  it("samples: the untouched model's first, then as training went on; none where no text is wanted", () => {
    const said = (step: number, text: string): TrainingEvent => ({
      type: "samples",
      step,
      epoch: 0,
      task: "",
      samples: [{ prompt: "Once", text, reference: "upon a time" }],
    });
    const events = [...[10, 20, 30, 40, 50, 60].map((step) => said(step, `answer ${step}`)), said(0, "nothing")];
    const [with_, without] = [20, 0].map((worst) => {
      const collector = createCollector(() => 0, worst);
      for (const event of events) collector.log(event);
      return collector.collected().answers;
    });
    assert.deepEqual(with_?.map(({ step }) => step), [0, 30, 40, 50, 60]);
    assert.deepEqual(without, []);
    const page = markupOf(samplesSection(with_ ?? []) as ReturnType<typeof groupSections>);
    assert.match(page, /Once[^]*untouched[^]*nothing[^]*step 30[^]*step 60[^]*answer 60[^]*reference[^]*upon a time/);
  });
});
