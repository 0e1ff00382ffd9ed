import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Entry, Metric, MetricInputs } from "../../../core/types.ts";
import { AttuneError } from "../../../core/base/errors.ts";
import { accuracy } from "../../../plugins/metrics/accuracy.ts";
import { cer } from "../../../plugins/metrics/cer.ts";
import { cohenKappa } from "../../../plugins/metrics/cohen_kappa.ts";
import { addToConfusion, cellsOf, emptyConfusion, mergeConfusions } from "../../../blocks/metric/confusion.ts";
import { f1 } from "../../../plugins/metrics/f1.ts";
import { meanMetric } from "../../../blocks/metric/mean.ts";
import { meteor } from "../../../plugins/metrics/meteor.ts";
import { pearson } from "../../../plugins/metrics/pearson.ts";
import { precisionRecallF1 } from "../../../plugins/metrics/precision_recall_f1.ts";
import { recall } from "../../../plugins/metrics/recall.ts";
import { expectedCalibrationError } from "../../../plugins/metrics/expected_calibration_error.ts";
import { topKAccuracy } from "../../../plugins/metrics/top_k_accuracy.ts";
import { rocAuc } from "../../../plugins/metrics/roc_auc.ts";
import { rouge } from "../../../plugins/metrics/rouge.ts";
import { seqeval } from "../../../plugins/metrics/seqeval.ts";
import { squad } from "../../../plugins/metrics/squad.ts";
import { squadV2 } from "../../../plugins/metrics/squad_v2.ts";
import { ter } from "../../../plugins/metrics/ter.ts";
import { stem } from "../../../blocks/metric/porter_stemmer.ts";
import { checksOf } from "../../../conformance/mod.ts";
import { itPassesSome } from "../../checks.ts";
import { checkMetricsReference } from "../../reference/metrics.ts";
import { metricCatalog, metrics } from "./catalog.ts";

type Example = MetricInputs[keyof MetricInputs];

const label = (prediction: number, reference: number, ...scores: number[]): MetricInputs["label"] => ({
  prediction,
  reference,
  scores,
});

// Of two classes, so that metrics of two and of more can read them.
const labels = [
  label(0, 0, 0.7, 0.3),
  label(1, 0, 0.4, 0.6),
  label(1, 1, 0.1, 0.9),
  label(0, 1, 0.6, 0.4),
  label(1, 1, 0.25, 0.75),
  label(0, 0, 0.875, 0.125),
  label(1, 1, 0.4, 0.6),
];
const numbers = [[1, 1.5], [2, 1.25], [-1, -0.5], [0, 0.75], [4, 3], [2, 2], [2, 1.25]].map((
  [prediction = 0, reference = 0],
) => ({
  prediction,
  reference,
}));
const texts = [
  ["the cat sat on the mat", "a cat sat on the mat", "the cat is sitting on a mat"],
  ["on the mat the cat sat", "the cat sat on the mat"],
  ["It's 3,000.50 euros!", "It costs 3,000.50 euros."],
  ["", "nothing"],
  ["日本語 naïve café", "日本 naïve café"],
  ["the answer", "answer", "An Answer!"],
  ["one\ntwo three", "two three\none"],
].map(([prediction = "", ...references], i) => ({ prediction, references, noAnswerProbability: i / 8 }));
const tags = [
  ["B-PER I-PER O", "B-PER I-PER O"],
  ["B-LOC O O", "O B-LOC O"],
  ["O", "O"],
  ["B-PER B-PER", "B-PER I-PER"],
  ["I-ORG O B-LOC", "B-ORG O B-LOC"],
  ["O O B-ORG", "B-PER O B-ORG"],
].map(([prediction = "", reference = ""]) => ({ prediction: prediction.split(" "), reference: reference.split(" ") }));
const losses = [[2, 1], [1.5, 2], [0.5, 4], [3, 1], [0, 0], [2.25, 3]].map(([sum = 0, count = 0]) => ({ sum, count }));
const sets = [[[0, 1], [0, 1]], [[1], [0]], [[], []], [[0, 2], [2]], [[2], [1, 2]], [[], [0]]].map(
  ([prediction = [], reference = []]) => ({
    prediction,
    reference,
    scores: [0, 1, 2].map((c) => (prediction.includes(c) ? 0.75 : 0.25)),
  }),
);

const examplesOf: { readonly [R in keyof MetricInputs]: readonly Example[] } = {
  label: labels,
  labels: sets,
  number: numbers,
  text: texts,
  tags,
  loss: losses,
};

for (const entry of metrics) {
  const metric = make(entry, entry.use === "f-beta" ? { beta: 2 } : {});
  for (const reading of metric.reads) {
    // Sets of labels have no positive class.
    const used = reading === "labels" && "average" in metric.options && metric.options.average === "binary"
      ? make(entry, { ...metric.options, average: "samples" })
      : metric;
    itPassesSome(`${entry.use} of ${reading}`, checksOf(used, { readings: examplesOf[reading] }));
  }
}

function make(entry: Entry<"metric">, options: object): Metric {
  const parsed = entry.parse(options);
  if (parsed.issues) throw new Error(parsed.issues[0]?.message);
  return parsed.value;
}

function compute(metric: Metric, examples: readonly Example[]): Readonly<Record<string, number | null>> {
  return metric.compute(examples.reduce((state, example) => metric.update(state, example), metric.init()));
}

test("keys are the metric's name, with the average where there is one", () => {
  assert.deepEqual(Object.keys(compute(accuracy(), labels)), ["accuracy"]);
  assert.deepEqual(Object.keys(compute(f1({ average: "macro" }), labels)), ["f1_macro"]);
  assert.deepEqual(Object.keys(compute(recall({ average: "none" }), labels)), ["recall_0", "recall_1"]);
  assert.deepEqual(Object.keys(compute(rouge({ kind: "rougeL" }), texts)), [
    "rougeL",
    "rougeL_precision",
    "rougeL_recall",
  ]);
  assert.ok("seqeval_f1_micro" in compute(seqeval(), tags));
  for (const { use } of metrics) assert.equal(metricCatalog[use]?.use, use);
});

test("the mean over rows of sets of labels is scikit-learn's average of samples", () => {
  // precision_recall_fscore_support of the same rows, average="samples", zero_division=0.
  const scores = compute(precisionRecallF1({ average: "samples" }), sets);
  assert.ok(Math.abs((scores.precision_samples ?? 0) - 2.5 / 6) < 1e-12);
  assert.ok(Math.abs((scores.recall_samples ?? 0) - 2.5 / 6) < 1e-12);
  assert.ok(Math.abs((scores.f1_samples ?? 0) - (1 + 2 / 3 + 2 / 3) / 6) < 1e-12);
  assert.equal(compute(accuracy(), sets).accuracy, 2 / 6);
});

test("averaging says what it cannot do", () => {
  assert.throws(
    () => compute(f1(), [label(0, 0), label(1, 1), label(2, 1)]),
    (e) => e instanceof AttuneError && /average: expected micro, macro or weighted/.test(e.message),
  );
  assert.throws(() => compute(accuracy(), [label(0.5, 0)]), (e) => e instanceof AttuneError && e.path === "prediction");
  assert.throws(
    () => compute(rocAuc(), [{ prediction: 0, reference: 0 }]),
    (e) => e instanceof AttuneError && e.code === "MISSING",
  );
  assert.throws(() => compute(rocAuc(), [label(0, 2, 0.5, 0.5)]), AttuneError);
  assert.throws(() => compute(seqeval(), [{ prediction: ["O"], reference: ["O", "O"] }]), AttuneError);
  assert.throws(
    () => compute(seqeval({ mode: "strict" }), [{ prediction: ["E-X"], reference: ["O"] }]),
    /a tag of IOB2/,
  );
});

test("what is undefined is null, and what is not a number is too", () => {
  assert.equal(compute(rocAuc(), [label(1, 1, 0, 1)])["roc-auc"], null);
  assert.equal(compute(pearson(), [{ prediction: NaN, reference: 1 }, { prediction: 1, reference: 2 }]).pearson, null);
  assert.equal(compute(f1({ zeroDivision: null }), [label(0, 0)]).f1_binary, null);
  // Neither is calibrated, nor among the first, what has no number.
  assert.equal(
    compute(expectedCalibrationError(), [label(0, 0, NaN, NaN), label(1, 1, 0, 1)])["expected-calibration-error"],
    null,
  );
  assert.equal(compute(topKAccuracy({ k: 1 }), [label(0, 0, NaN, NaN), label(1, 1, 0, 1)])["top-k-accuracy"], 0.5);
  const custom = { ...meanMetric("x", ["number"], () => Infinity) };
  assert.equal(custom.compute(custom.update(custom.init(), { prediction: 1, reference: 1 })).x, null);
});

test("labels, tags and texts cannot reach an object's prototype", () => {
  assert.throws(() => compute(seqeval(), [{ prediction: ["B-__proto__"], reference: ["O"] }]), AttuneError);
  const found = compute(seqeval({ per: "type" }), [{ prediction: ["B-constructor"], reference: ["B-constructor"] }]);
  assert.equal(found["seqeval_constructor.support"], 1);
  assert.equal(stem("constructor"), "constructor");
});

test("confusions have every pair of classes that occurs", () => {
  const a = addToConfusion("test", emptyConfusion(), 2, 0);
  const b = addToConfusion("test", addToConfusion("test", emptyConfusion(), 0, 0), 0, 10);
  const cells = cellsOf(mergeConfusions(a, b)).map((
    { reference, prediction, count },
  ) => [reference, prediction, count]);
  assert.deepEqual(cells, [[0, 0, 1], [0, 2, 1], [10, 0, 1]]);
});

test("many classes, many scores, many references and many blanks take no more than their number", () => {
  const many = Array.from({ length: 30_000 }, (_, i) => i);
  for (const weights of [null, "linear", "quadratic"] as const) {
    const metric = cohenKappa({ weights });
    let state = metric.init();
    for (const i of many) state = metric.update(state, { prediction: i, reference: (i * 7) % many.length });
    assert.ok((metric.compute(state)["cohen-kappa"] ?? 1) < 0.5);
  }
  const blanks = `a${" ".repeat(300_000)}b`;
  assert.equal(compute(cer(), [{ prediction: blanks.slice(0, 300), references: [`${" ".repeat(1e5)}x`] }]).cer, 1);
  const references = Array.from(many, () => "b");
  assert.equal(compute(ter(), [{ prediction: "b", references }]).ter, 0);
  assert.equal(compute(squad(), [{ prediction: blanks, references }]).squad_exactMatch, 100);
  assert.equal(compute(meteor(), [{ prediction: "c", references }]).meteor, 0);
});

test("no-answer thresholds: equal probabilities stay on one side", () => {
  const rows = [["a", "a", 0.1], ["a", "b", 0.1], ["x", undefined, 0.9]] as const;
  const scores = compute(
    squadV2(),
    rows.map(([prediction, gold, noAnswerProbability]) => ({
      prediction,
      references: gold ? [gold] : [],
      noAnswerProbability,
    })),
  );
  assert.ok(Math.abs((scores["squad-v2_bestExactMatch"] ?? 0) - 200 / 3) < 1e-9);
  assert.equal(scores["squad-v2_bestExactMatchThreshold"], 0.1);
});

test("the check against a reference file finds a wrong value, a wrong option and what is missing", async () => {
  const folder = await mkdtemp(join(tmpdir(), "attune-"));
  try {
    const path = join(folder, "metrics.json");
    const inputs = { references: [1, 0], predictions: [1, 1] };
    const metricsFound = [
      { metric: "accuracy", options: {}, inputs, value: 0.5 },
      { metric: "accuracy", options: {}, inputs, value: 0.51 },
      { metric: "accuracy", options: {}, inputs, value: null },
      { metric: "f1", options: { average: "some" }, inputs, value: 1 },
      { metric: "precision-recall-f1", options: {}, inputs, value: { precision: 0.5, support: 2 } },
      { metric: "nothing", options: {}, inputs, value: 1 },
    ];
    await writeFile(path, JSON.stringify({ metrics: metricsFound }));
    const { items } = await checkMetricsReference(path, metricCatalog);
    assert.deepEqual(items.map(({ ok }) => ok), [true, false, false, false, false, false]);
    assert.equal(items[5]?.detail, "missing");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("of rows that may have several classes there is no F1 of two, as in scikit-learn", () => {
  for (const metric of [f1(), f1({ labels: [0, 1] })]) {
    const row = { prediction: [0], reference: [0, 1] };
    assert.throws(
      () => metric.update(metric.init(), row),
      /average: expected micro, macro, weighted or samples, .* but found "binary"/,
    );
  }
});
