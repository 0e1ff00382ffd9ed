import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Example, Host, Named, Run, TrainingEvent } from "../../../core/types.ts";
import { report } from "../../../plugins/loggers/report.ts";
import { analyze } from "../../../plugins/loggers/report/analysis.ts";
import { calibrate } from "../../../plugins/loggers/report/calibration.ts";
import { createCollector } from "../../../plugins/loggers/report/collect.ts";
import { confusionOf, largestClasses, ratesOf } from "../../../plugins/loggers/report/counts.ts";
import { html, markupOf } from "../../../blocks/page/html.ts";
import { linearScale, logScale, showNumber, showPercent, showSeconds, showTicks } from "../../../blocks/page/scale.ts";
import { createSeries, smooth } from "../../../plugins/loggers/report/series.ts";
import { checksOf, loggedEvents, watchedStore } from "../../../conformance/mod.ts";
import { itPasses } from "../../checks.ts";

const part = <K extends string>(kind: K, name: string, options: object = {}) => ({ kind, name, options });

// Reports read a run's names, options and numbers only.
const run = {
  spec: { version: 1 },
  name: "reviews",
  training: { seed: 42, learningRate: 5e-4, perDeviceTrainBatchSize: 16, gradientAccumulationSteps: 2 },
  model: part("model", "pretrained", { path: "attune:base" }),
  tokenizer: part("tokenizer", "auto"),
  task: part("task", "sequence-classification", { labels: ["<negative>", "positive"] }),
  data: {},
  adapters: [part("adapter", "lora", { r: 8, rows: Array.from({ length: 5000 }, (_, i) => i) })],
  optimizer: part("optimizer", "adamw"),
  schedule: part("schedule", "linear"),
  regularizers: [],
  accelerators: [],
  metrics: [],
  callbacks: [],
  loggers: [],
  exporters: [],
} as unknown as Run;

const host = {
  runtime: "node",
  provider: "cpu",
  env: {},
  fetch,
  clock: { now: () => 0, sleep: () => Promise.resolve() },
  memoryBytes: 0,
} as Host;

itPasses("report", checksOf(report(), { host, run }));

async function pageOf(events: readonly TrainingEvent[], options: { worstRows?: number } = {}): Promise<string> {
  const store = watchedStore();
  const sink = await report(options).open(host, run, store);
  for (const event of events) sink.log(event);
  await sink.close();
  assert.deepEqual([...store.files.keys()], ["report.html"]);
  return new TextDecoder().decode(store.files.get("report.html"));
}

test("the report says how much of the machine's peak the steps reached", async () => {
  let now = 0;
  const store = watchedStore();
  const timed = { ...host, clock: { ...host.clock, now: () => (now += 50) } };
  const sink = await report().open(timed, run, store);
  for (const event of loggedEvents) {
    sink.log(
      event.type === "start"
        ? { ...event, peakMultiplyAddsPerSecond: 4e11 }
        : event.type === "step"
        ? { ...event, multiplyAdds: 1e10 }
        : event,
    );
  }
  await sink.close();
  const page = new TextDecoder().decode(store.files.get("report.html"));
  const [fact = ""] = /Multiply-adds[^]{0,300}/.exec(page) ?? [];
  assert.match(fact, /<dd>200 G\s*<span[^>]*>a second, 50.% of this machine.+s float32 peak \(400.G\)/);
  assert.doesNotMatch(await pageOf(loggedEvents), /Multiply-adds/);
});

const start: TrainingEvent = {
  type: "start",
  step: 0,
  epoch: 0,
  totalSteps: 40,
  totalEpochs: 2,
  trainableParameters: 1000,
  totalParameters: 100000,
  trainRows: 320,
  evalRows: 100,
};

const steps = (count: number, loss: (step: number) => number = (step) => 1 / step): TrainingEvent[] =>
  Array.from({ length: count }, (_, i) => ({
    type: "step",
    step: i + 1,
    epoch: (i + 1) / 20,
    loss: loss(i + 1),
    losses: {},
    gradNorm: loss(i + 1) * 3,
    learningRate: 5e-4 * (1 - i / count),
    tokens: 500,
    samples: 32,
    skipped: false,
  }));

const seen = (
  phase: "before" | "after",
  labels: readonly string[],
  examples: readonly Example[],
  metrics: Named<number> = { loss: 0.3, accuracy: 0.9 },
): TrainingEvent => ({
  type: "examples",
  task: "",
  step: phase === "before" ? 0 : 40,
  epoch: 0,
  phase,
  labels,
  metrics,
  examples,
});

const end: TrainingEvent = { type: "end", step: 40, epoch: 2, reason: "done", metrics: {} };

/** 100 rows, 60 of the second class; every `wrong`-th is taken for the other one. */
const classified = (wrong: number): Example[] =>
  Array.from({ length: 100 }, (_, i) => {
    const reference = i < 60 ? 1 : 0;
    const prediction = i % wrong === 0 ? 1 - reference : reference;
    const sure = 0.6 + 0.39 * (i / 100);
    const scores = prediction === 1 ? [1 - sure, sure] : [sure, 1 - sure];
    const names = ["<negative>", "positive"];
    return { row: i, text: `row ${i}`, reference: names[reference] ?? "", prediction: names[prediction] ?? "", scores };
  });

const labels = ["<negative>", "positive"];

test("a whole run: headline, baselines, curves, matrix, calibration, classes, worst rows, facts, spec", async () => {
  const text = await pageOf([
    seen("before", labels, classified(2)),
    start,
    ...steps(40),
    { type: "evaluate", step: 20, epoch: 1, metrics: { loss: 0.4, accuracy: 0.8 }, best: true },
    { type: "evaluate", step: 40, epoch: 2, metrics: { loss: 0.5, accuracy: 0.9 }, best: false },
    { type: "warning", step: 3, epoch: 0, code: "SLOW", message: "a <slow> disk" },
    seen("after", labels, classified(10)),
    end,
  ]);
  const plain = text.replace(/<style>[^]*<\/style>|<[^>]*>/g, " ").replace(/\u202f/g, " ").replace(/\s+/g, " ");
  for (
    const said of [
      "reviews",
      "from attune:base",
      "finished",
      "Accuracy 90.0 % 95 % interval",
      "on 100 held-out rows",
      "Untouched model: 50.0 %, 95 % interval",
      "Always “positive”: 60.0 %, 95 % interval",
      "40.0 points better than the untouched model",
      "30.0 points better than always “positive”",
      "Learning rate",
      "Gradient norm before clipping",
      "Evaluation over time",
      "Confusion matrix",
      "Expected calibration error",
      "Mean of classes",
      "The 20 rows with the highest loss",
      "1.00 % of 100 000",
      "lora r 8",
      "× 2 accumulated",
      "SLOW a &lt;slow&gt; disk",
      "… (5000 items)",
    ]
  ) assert.ok(plain.includes(said), `${said} in ${plain.slice(0, 3000)}`);
  assert.match(text, />best</);
  assert.match(text, /prefers-color-scheme: dark/);
  assert.ok(text.length < 300_000, String(text.length));
});

test("a page of a sample of the rows says so, where its figures are of all", async () => {
  const some = { ...seen("after", labels, classified(10)), rows: 250_000, split: "test" } as TrainingEvent;
  const page = (await pageOf([start, some, { ...end, split: "test", rows: 250_000 } as TrainingEvent]))
    .replace(/\s+/g, " ");
  assert.match(page, /test, 100 of 250.000 rows/);
  assert.match(
    page,
    /These figures are of all rows; the headline, tables and charts are of a sample of 100 of the rows/,
  );
  assert.doesNotMatch(await pageOf([start, seen("after", labels, classified(10)), end]), /a sample of/);
});

test("the page of an evaluation without answers to whole rows begins with its first metric", async () => {
  const metrics = { loss: 6, perplexity: 403.4 };
  const page = await pageOf([
    { ...seen("after", [], [], metrics), split: "test", rows: 60 } as TrainingEvent,
    { ...end, step: 0, metrics, split: "test", rows: 60 } as TrainingEvent,
  ]);
  const [hero = ""] = /<section class="hero">[^]*?<\/section>/.exec(page) ?? [];
  assert.match(hero.replace(/\s+/g, " "), /erplexity<\/p>.*403\.4.*test, 60 rows/);
  assert.doesNotMatch(page, /no step|no evaluation data/);
});

test("answers that are no numbers have no calibration", async () => {
  const lost = classified(10).map((example) => ({ ...example, scores: [NaN, NaN] }));
  const page = await pageOf([start, seen("after", labels, lost, { loss: NaN }), end]);
  assert.doesNotMatch(page, /Expected calibration error|NaN/);
  assert.match(page, /not a number/);
});

test("several tasks: each has its headline, its metrics by its name, its rows", async () => {
  const tasks = [["mood", 10], ["<topic>", 4]] as const;
  const text = await pageOf([
    start,
    ...steps(40),
    ...tasks.map(([task, wrong]) => ({ ...seen("after", labels, classified(wrong)), task } as TrainingEvent)),
    ...tasks.map(([task]) => ({ ...seen("before", labels, classified(2), { accuracy: 0.5 }), task } as TrainingEvent)),
    end,
  ]);
  balanced(text);
  const plain = text.replace(/<style>[^]*<\/style>|<[^>]*>/g, " ").replace(/\u202f/g, " ").replace(/\s+/g, " ");
  assert.match(plain, /mood · Accuracy 90.0 % .*40.0 points better than the untouched model/);
  assert.match(plain, /&lt;topic&gt; · Accuracy 75.0 % .*25.0 points better than the untouched model/);
  assert.match(plain, /mood_accuracy 0.9000 untouched 0.5000 .*&lt;topic&gt;_accuracy 0.9000 untouched 0.5000/);
  assert.match(plain, / mood Confusion matrix .* &lt;topic&gt; Confusion matrix /);
});

test("one file: nothing is fetched or executed, and markup is balanced", async () => {
  const text = await pageOf([start, ...steps(40), seen("after", labels, classified(10)), end]);
  assert.match(text, /Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'/);
  assert.doesNotMatch(text, /<script|<link|<img|<iframe|@import|url\(|src=|href=|https?:|\son\w+=/i);
  balanced(text);
  assert.doesNotMatch(text, /NaN|undefined|\[object|Infinity/);
});

const hostile =
  `</title></style></script><script>alert(1)</script><img src=x onerror='a()'> "q" 'q' & \u0000\ud800 \u202etxet`;

test("hostile texts, labels, names and messages stay text", async () => {
  const examples = [{ row: 0, text: hostile, reference: hostile, prediction: "positive", scores: [0.1, 0.9] }];
  const sink = watchedStore();
  const opened = await report().open(host, {
    ...run,
    name: hostile,
    model: { ...run.model, options: { path: hostile } },
  }, sink);
  for (
    const event of [
      start,
      ...steps(3),
      { type: "evaluate", step: 3, epoch: 0, metrics: { [hostile]: 1, loss: 1 }, best: false },
      { type: "warning", step: 3, epoch: 0, code: hostile, message: hostile },
      seen("before", [hostile, "positive"], examples, { [hostile]: 0.5 }),
      seen("after", [hostile, "positive"], examples, { [hostile]: 0.5 }),
      { ...end, reason: "stopped", message: hostile },
    ] as TrainingEvent[]
  ) opened.log(event);
  await opened.close();
  const text = new TextDecoder().decode(sink.files.get("report.html"));
  assert.doesNotMatch(text, /<script|<img/);
  assert.ok(!text.includes("\u0000"));
  assert.equal(text.match(/<\/style>/g)?.length, 1);
  assert.equal(text.match(/<\/title>/g)?.length, 1 + (text.match(/<title>/g)?.length ?? 0) - 1);
  balanced(text);
});

test("any text is escaped, in content and in quoted attributes", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const page = markupOf(html`<a title="${text}">${text}</a>`);
    assert.equal(page.replace(/^<a title="|<\/a>$/g, "").replace('">', "").search(/[<>"']/), -1);
    assert.doesNotMatch(page, /&(?!amp;|lt;|gt;|quot;|#39;)/);
  }));
  // A row that looks like markup is not: only `html` makes markup.
  const forged = JSON.parse('{"html":"<b>","markup":"<b>"}');
  assert.doesNotMatch(JSON.stringify(forged.html) + markupOf([forged.html]), /^<b>$/);
});

test("a run without evaluation, without steps, or that diverged is still a page", async () => {
  const bare = await pageOf([start, ...steps(40), end]);
  assert.match(bare, /There is no evaluation data/);
  assert.doesNotMatch(bare, /Confusion|Calibration|Worst/);
  const empty = await pageOf([start, { ...end, step: 0 }]);
  assert.match(empty, /The run made no step/);
  const diverged = await pageOf([start, ...steps(20, (step) => (step > 10 ? NaN : 1)), {
    ...end,
    step: 20,
    reason: "diverged",
    message: "Ten steps gave no finite loss",
  }]);
  assert.match(diverged, /diverged at step 20/);
  assert.match(diverged, /Ten steps gave no finite loss/);
  assert.match(diverged, />not finite</);
  for (const text of [bare, empty, diverged]) {
    assert.doesNotMatch(text, /NaN|undefined|\[object/);
    balanced(text);
  }
});

test("a run that did not start leaves no file", async () => {
  const store = watchedStore();
  const sink = await report().open(host, run, store);
  sink.log({ type: "warning", step: 0, epoch: 0, code: "A", message: "b" });
  await sink.close();
  assert.equal(store.files.size, 0);
});

test("regression: errors beside the mean, scatter plot", async () => {
  const rows = (noise: number): Example[] =>
    Array.from(
      { length: 60 },
      (_, i) => ({
        row: i,
        text: `r${i}`,
        reference: i,
        prediction: i + (i % 2 === 0 ? noise : -noise),
        loss: noise ** 2,
      }),
    );
  const text = await pageOf([
    seen("before", ["LABEL_0"], rows(20)),
    start,
    ...steps(4),
    seen("after", ["LABEL_0"], rows(2)),
    end,
  ]);
  assert.match(text, /Mean absolute error<\/p>\s*<p class="big">2</);
  assert.match(text, /Predicted against true/);
  assert.match(text, /18 better<\/b> than the untouched model/);
  assert.match(text, /13 better<\/b> than always the mean/);
  assert.equal(text.match(/class="point"/g)?.length, 60);
  balanced(text);
});

test("several labels: a line per label, calibration over all of them, sets as a whole", async () => {
  const names = ["a", "b", "c"];
  const rows = Array.from({ length: 30 }, (_, i): Example => {
    const reference = names.filter((_, j) => (i >> j) & 1);
    return {
      row: i,
      text: `r${i}`,
      reference,
      prediction: i < 3 ? [] : reference,
      scores: names.map((n) => (reference.includes(n) ? 0.8 : 0.1)),
    };
  });
  const event = seen("after", names, rows);
  if (event.type !== "examples") throw new Error("not examples");
  const reduced = analyze(event, 5);
  assert.equal(reduced.kind, "labels");
  if (reduced.kind !== "labels") return;
  // Row 0 has no labels and is right; rows 1 and 2 miss "a" and "b".
  const counted = reduced.classes.map(({ hits, predicted, support }) => [hits, predicted, support].join("/"));
  assert.deepEqual(counted, ["14/14/15", "13/13/14", "14/14/14"]);
  assert.equal(reduced.scores.filter((score) => score === 0).length, 2);
  assert.equal(reduced.calibration?.rows, 90);
  const text = await pageOf([start, ...steps(3), event, end]);
  assert.match(text, /Rows with all labels correct/);
  assert.match(text, /<h2>Labels<\/h2>/);
  balanced(text);
});

test("texts and tags are compared as a whole", async () => {
  const rows = [
    { row: 0, text: "a", reference: ["O", "B-PER", "O"], prediction: ["O", "O", "O"] },
    { row: 1, text: "b", reference: ["O", "O"], prediction: ["O", "O"] },
  ];
  const event = seen("after", ["O", "B-PER"], rows, { loss: 1, seqeval_f1: 0.25 });
  if (event.type !== "examples") throw new Error("not examples");
  assert.equal(analyze(event, 5).kind, "other");
  assert.deepEqual(analyze(event, 5).worst.map((row) => row.row), [0]);
  const text = await pageOf([start, ...steps(3), event, end]);
  assert.match(text, /seqeval_f1<\/p>\s*<p class="big">0.2500</);
  balanced(text);
});

test("tags of words: counted by word, wrong ones marked in their sentence", async () => {
  const rows = [
    { row: 0, text: "", words: ["Ann", "<b>", "ran"], reference: ["N", "X", "V"], prediction: ["N", "V", "V"] },
    { row: 1, text: "", words: ["run", "on"], reference: ["V", "P"], prediction: ["V", "P"] },
  ];
  const event = seen("after", ["N", "P", "V", "X"], rows, { loss: 1, seqeval_accuracy: 0.8 });
  if (event.type !== "examples") throw new Error("not examples");
  const reduced = analyze(event, 5);
  assert.equal(reduced.kind, "tags");
  if (reduced.kind !== "tags") return;
  assert.deepEqual(reduced.scores, [2 / 3, 1]);
  assert.deepEqual(reduced.baseline?.scores, [1 / 3, 1 / 2]);
  const verbs = reduced.classes.find(({ name }) => name === "V");
  assert.deepEqual([verbs?.hits, verbs?.predicted, verbs?.support], [2, 3, 2]);
  const text = await pageOf([start, ...steps(3), event, end]);
  assert.match(text, /Correct tags, mean over rows<\/p>\s*<p class="big">83.3/);
  assert.match(text, /Ann\s+<mark>&lt;b&gt;\s+<small>V, true X<\/small><\/mark>\s+ran/);
  balanced(text);
});

test("texts stand beside their references, right and wrong ones; any of several may be right", async () => {
  const rows = Array.from({ length: 50 }, (_, i): Example => ({
    row: i,
    text: `question ${i}`,
    reference: i % 2 === 0 ? `answer ${i}` : ["one", "two"],
    prediction: i % 2 === 0 ? "nothing" : "two",
  }));
  const event = seen("after", [], rows, { loss: 1, squad_f1: 50 });
  if (event.type !== "examples") throw new Error("not examples");
  const reduced = analyze(event, 5);
  assert.deepEqual(reduced.scores.slice(0, 4), [0, 1, 0, 1]);
  assert.deepEqual(reduced.kind === "other" && reduced.sample.map((row) => row.row), [0, 10, 20, 30, 40]);
  const text = await pageOf([start, ...steps(3), event, end], { worstRows: 50 });
  assert.match(text, /question 1<\/td>\s*<td class="gold" dir="auto">one, two<\/td>\s*<td class="said" dir="auto">two/);
  assert.match(text, /<tr class="wrong">\s*<td class="num muted">48</);
  assert.doesNotMatch(await pageOf([start, ...steps(3), event, end], { worstRows: 0 }), /question/);
  balanced(text);
});

test("many classes: the smallest share a line of the matrix", async () => {
  const names = Array.from({ length: 200 }, (_, i) => `class ${i}`);
  const rows = Array.from(
    { length: 1000 },
    (_, i): Example => ({
      row: i,
      text: "",
      reference: names[i % (i % 3 === 0 ? 20 : 200)] ?? "",
      prediction: names[i % 200] ?? "",
    }),
  );
  const text = await pageOf([start, ...steps(3), seen("after", names, rows), end]);
  assert.match(text, /171 others/);
  balanced(text);
  const small = largestClasses(confusionOf(["a", "b", "c"], [[0, 0], [1, 2], [2, 1], [0, 0]]), 2);
  assert.deepEqual([small.names, small.count(0, 0), small.count(1, 1)], [["a", "2 others"], 2, 2]);
});

test("worstRows: 0 keeps texts out of the file", async () => {
  const events = [start, ...steps(3), seen("after", labels, classified(10)), end];
  assert.match(await pageOf(events), /row 90/);
  assert.doesNotMatch(await pageOf(events, { worstRows: 0 }), /row \d/);
  assert.throws(() => report({ worstRows: -1 }), /worstRows/);
});

test("worst rows come in the order of their loss", () => {
  const event = seen("after", labels, classified(10));
  if (event.type !== "examples") throw new Error("not examples");
  const { worst } = analyze(event, 8);
  const losses = worst.map((row) => row.loss ?? NaN);
  assert.deepEqual(losses, losses.toSorted((a, b) => b - a));
  // Row 90 is the surest of the wrong ones: 0.6 + 0.39 · 0.9.
  assert.equal(worst[0]?.row, 90);
  assert.ok(Math.abs((worst[0]?.loss ?? 0) + Math.log(1 - 0.951)) < 1e-12);
  assert.equal(worst[0]?.wrong, true);
});

test("step figures take bounded room, and no step is forgotten", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 4, max: 64 }), (count, limit) => {
      const series = createSeries(limit);
      for (let step = 1; step <= count; step++) {
        series.add({ step, steps: 1, loss: step, gradNorm: step % 7, learningRate: 1 });
      }
      const points = series.points();
      assert.ok(points.length <= limit);
      assert.equal(points.reduce((sum, point) => sum + point.steps, 0), count);
      assert.equal(points.at(-1)?.step, count);
      const mean = points.reduce((sum, { loss, steps }) => sum + (loss ?? 0) * steps, 0) / count;
      assert.ok(Math.abs(mean - (count + 1) / 2) < 1e-6 * count);
      assert.equal(Math.max(...points.map(({ gradNorm }) => gradNorm ?? 0)), count >= 6 ? 6 : count);
    }),
    { numRuns: 40 },
  );
  const collector = createCollector(() => 0, 20);
  for (const event of steps(20_000)) collector.log(event);
  for (let step = 1; step <= 5000; step++) {
    collector.log({ type: "evaluate", step, epoch: 0, metrics: { loss: 1 }, best: step === 1001 });
    collector.log({ type: "warning", step, epoch: 0, code: "A", message: "b" });
  }
  const { points, evaluations, warnings, moreWarnings, tokens } = collector.collected();
  assert.ok(points.length <= 2000 && points.length >= 1000);
  assert.ok(evaluations.length <= 2000);
  assert.ok(evaluations.some((e) => e.best) && evaluations.at(-1)?.step === 5000);
  assert.deepEqual([warnings.length, moreWarnings, tokens], [50, 4950, 10_000_000]);
});

test("time in steps leaves evaluations out", () => {
  let now = 0;
  const collector = createCollector(() => now, 20);
  collector.log(start);
  for (const event of steps(4)) {
    now += 250;
    collector.log(event);
  }
  now += 9000;
  collector.log({ type: "evaluate", step: 4, epoch: 1, metrics: {}, best: false });
  assert.equal(collector.collected().seconds, 1);
});

test("calibration: bins are closed above; rates are as defined", () => {
  const { bins, ece, rows } = calibrate([[0.1, 0], [0.1000001, 1], [1, 1], [0, 0]]);
  assert.deepEqual(bins.map((bin) => bin.rows), [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
  assert.ok(Math.abs(ece - (0.1 + 0.8999999) / 4) < 1e-9);
  assert.equal(rows, 4);
  assert.deepEqual(ratesOf({ name: "", hits: 2, predicted: 4, support: 2 }), { precision: 0.5, recall: 1, f1: 2 / 3 });
  assert.deepEqual(ratesOf({ name: "", hits: 0, predicted: 0, support: 0 }), { precision: 0, recall: 0, f1: 0 });
});

test("numbers, ticks and curves as printed", () => {
  assert.deepEqual([0.97, 12345, 1234, 0.00012, -3.14159, 0, 1e-20, 123456.7].map((x) => showNumber(x)), [
    "0.9700",
    "12\u202f345",
    "1234",
    "1.2e−4",
    "−3.142",
    "0",
    "1e−20",
    "123\u202f457",
  ]);
  assert.deepEqual(showTicks([0, 0.25, 0.5]), ["0.00", "0.25", "0.50"]);
  assert.deepEqual(showTicks([0, 2e-4, 4e-4]), ["0", "2e−4", "4e−4"]);
  assert.equal(showPercent(0.9134), "91.3\u202f%");
  assert.deepEqual([5.25, 75, 4000].map(showSeconds), ["5.3 s", "1 min 15 s", "1 h 6 min"]);
  assert.deepEqual(logScale([0.3, 40]).ticks, [0.1, 1, 10, 100]);
  assert.deepEqual([0.1, 1, 100, 0].map((tick) => Math.round(9 * logScale([0.3, 40]).at(tick))), [0, 3, 9, 0]);
  assert.deepEqual(smooth([1, null, 3], 1), [1, null, 3]);
  fc.assert(fc.property(fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 }), (values) => {
    const scale = linearScale(values, 5, true);
    assert.ok(scale.ticks.length >= 1 && scale.ticks.length <= 12, String(scale.ticks));
    for (const value of values) assert.ok(scale.at(value) >= -1e-6 && scale.at(value) <= 1 + 1e-6);
  }));
});

/** Every element is closed, in order. */
function balanced(text: string): void {
  const empty = new Set(["meta", "br", "input", "!doctype"]);
  const open: string[] = [];
  for (
    const [, slash, name = "", self] of text.replace(/<style>[^]*<\/style>/, "").matchAll(
      /<(\/?)([!a-z][a-z0-9]*)[^>]*?(\/?)>/gi,
    )
  ) {
    if (slash) assert.equal(open.pop(), name);
    else if (!self && !empty.has(name)) open.push(name);
  }
  assert.deepEqual(open, []);
}
