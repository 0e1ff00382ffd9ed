import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { bootstrap } from "../../core/statistics/bootstrap.ts";
import { compose } from "../../core/spec/compose.ts";
import { createRandom } from "../../core/math/random.ts";
import { encodeAll } from "../../core/run/rows/data.ts";
import { batchesInOrder } from "../../core/run/rows/ordered_batches.ts";
import { evaluateRun } from "../../core/run/evaluate/evaluate.ts";
import { openEvaluator } from "../../core/run/evaluate/infer.ts";
import { openRun } from "../../core/run/open/open.ts";
import { evaluate } from "../../core/loop/evaluate.ts";
import { wilson } from "../../core/statistics/intervals.ts";
import type { Json, MetricInputs, Named, RunSpec } from "../../core/types.ts";
import { accuracy } from "../../plugins/metrics/accuracy.ts";
import { f1 } from "../../plugins/metrics/f1.ts";
import { catalog } from "../../plugins/catalog.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { edgeRig } from "../edge.ts";
import { sharedPath, SKIP_REASON } from "../shared.ts";
import { tinyHost, tinyRows, tinySpec } from "../tiny.ts";

type Answer = Readonly<{
  metrics: Named<number | null>;
  intervals?: Named<{ low: number; high: number }>;
  labels?: string[];
  error?: { message: string; param: string | null };
}>;
const host = await hostHere(1);
const { app, post } = edgeRig({ host });
const ask = async (body: object): Promise<Answer> => {
  const { status, json } = await post<Answer>("/v1/evaluate", body);
  assert.equal(status, 200, JSON.stringify(json));
  return json;
};
const stream = async (lines: readonly unknown[], query = ""): Promise<Answer> => {
  const headers = { authorization: "Bearer key-a", "content-type": "application/x-ndjson" };
  // In pieces that do not end where lines do.
  const bytes = new TextEncoder().encode(lines.map((line) => JSON.stringify(line)).join("\n"));
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (let at = 0; at < bytes.length; at += 37) controller.enqueue(bytes.slice(at, at + 37));
      controller.close();
    },
  });
  const answer = await app.request(
    `/v1/evaluate${query}`,
    { method: "POST", headers, body, duplex: "half" } as RequestInit,
  );
  return await answer.json();
};
const refused = async (body: object, pattern: RegExp): Promise<void> => {
  const { status, json } = await post<Answer>("/v1/evaluate", body);
  assert.equal(status, 400, JSON.stringify(json));
  assert.match(json.error?.message ?? "", pattern);
};

describe("evaluate", () => {
  const file = sharedPath("reference/metrics.json");
  it("every metric as the field's libraries, as JSON and as lines", { skip: !file && SKIP_REASON }, async () => {
    type Case = Readonly<{ metric: string; options: Named<Json>; inputs: Named<Json[]>; value: Json }>;
    const { metrics }: { metrics: Case[] } = JSON.parse(readFileSync(file ?? "", "utf8"));
    const seen = new Set<string>();
    for (const { metric, options, inputs, value } of metrics) {
      seen.add(metric);
      const joined = (texts: Json | undefined): Json =>
        Array.isArray(texts) && metric === "meteor" ? texts.map(joined).join(" ") : texts ?? null;
      const predictions = (inputs.predictions ?? inputs.negativeLogLikelihoods)?.map(joined);
      const references = inputs.references?.map((gold) => metric === "meteor" ? (gold as Json[]).map(joined) : gold);
      const scores = inputs.scores ?? inputs.probabilities;
      const use = [{ use: metric, with: options }];
      const noAnswerProbabilities = inputs.noAnswerProbabilities;
      const given = { predictions, references, scores, noAnswerProbabilities };
      const metrics = (await ask({ metrics: use, ...given })).metrics;
      const wanted = typeof value === "object" && value !== null ? Object.values(value) : [value];
      for (const number of wanted as (number | null)[]) {
        const close = Object.values(metrics).some((value) =>
          value === number ||
          (value !== null && number !== null && Math.abs(value - number) <= 1e-9 * Math.max(1, number))
        );
        assert.ok(close, `${metric} ${JSON.stringify(options)}: ${number} in ${JSON.stringify(metrics)}`);
      }
      const count = (predictions ?? scores ?? []).length;
      const lines = Array.from({ length: count }, (_, i) => ({
        prediction: predictions?.[i],
        reference: references?.[i],
        scores: scores?.[i],
        noAnswerProbability: noAnswerProbabilities?.[i],
      }));
      assert.deepEqual((await stream([{ metrics: use }, ...lines])).metrics, metrics, metric);
    }
    const all = Object.keys(catalog.metric ?? {});
    // One of these is the mean of what others give one by one; those of groups have figures of their own.
    const groups = ["by-group", "demographic-parity", "disparate-impact", "equal-opportunity", "equalized-odds"];
    const others = [...groups, "exact-match", "f1", "precision", "recall"];
    assert.deepEqual(all.filter((name) => !seen.has(name)).sort(), others.sort());
  });

  const task = { use: "sequence-classification", with: { labels: ["bad", "good"] } };
  const metrics = [
    "accuracy",
    "f1",
    "roc-auc",
    "log-loss",
    "brier",
    "matthews-correlation",
    "expected-calibration-error",
  ];
  it("gives the trainer's numbers to the last digit: from what it decoded, and from rows and the model", async () => {
    const run = compose({ ...tinySpec(), metrics } as unknown as RunSpec, catalog);
    const open = await openRun(run, tinyHost(host));
    const data = run.use("data", { use: "memory", with: { rows: tinyRows } });
    const trainers = await evaluateRun(open, data);
    const { loss, ...rest } = trainers;
    const seen: MetricInputs["label"][] = [];
    const evaluator = openEvaluator(open);
    const samples = await encodeAll(open, data, true);
    const batches = batchesInOrder(samples, 8, open.layout);
    await evaluate(evaluator, batches, open.task, [], open.tokenizer, ({ readings }) => {
      seen.push(...readings.label ?? []);
    });
    await evaluator.close();
    const predictions = seen.map((r) => r.prediction);
    const references = seen.map((r) => r.reference);
    const scores = seen.map((r) => Array.from(r.scores ?? []));
    assert.equal(predictions.length, tinyRows.length);
    assert.deepEqual((await ask({ metrics, predictions, references, scores })).metrics, rest);
    assert.deepEqual((await ask({ metrics, predictions: scores, references })).metrics, rest, "scores as predictions");
    const names = (ids: readonly number[]) => ids.map((id) => ["bad", "good"][id]);
    const named = await ask({ metrics, predictions: names(predictions), references: names(references), scores });
    assert.deepEqual(named, { metrics: rest, labels: ["bad", "good"] });
    const lines = seen.map((_, i) => ({ prediction: predictions[i], reference: references[i], scores: scores[i] }));
    assert.deepEqual((await stream(lines, `?metrics=${metrics.join()}`)).metrics, rest);
    const rowsAnswer = await ask({ metrics, model: "tiny", task, rows: tinyRows });
    assert.deepEqual(rowsAnswer.metrics, { loss, ...rest });
  });

  it("gives the intervals that every other place gives, of a seed", async () => {
    const predictions = Array.from({ length: 60 }, (_, i) => (i % 5 === 0 ? 0 : 1));
    const references = predictions.map((_, i) => Number(i % 7 > 0));
    const f1s = { use: "f1", with: { average: "macro" } };
    const body = { metrics: ["accuracy", f1s], predictions, references };
    const own = { samples: 200, confidence: 0.9, seed: 7 };
    const { intervals } = await ask({ ...body, intervals: own });
    const examples = predictions.map((prediction, i) => ({ prediction, reference: references[i] ?? 0 }));
    const how = { samples: 200, confidence: 0.9, random: createRandom(7).fork("evaluation") };
    assert.deepEqual(intervals, {
      ...bootstrap(accuracy(), examples, how),
      ...bootstrap(f1({ average: "macro" }), examples, how),
    });
    const right = examples.filter(({ prediction, reference }) => prediction === reference).length;
    assert.deepEqual([intervals?.accuracy?.low, intervals?.accuracy?.high], wilson(right, 60, 0.9));
    const lines = examples.map(({ prediction, reference }) => ({ prediction, reference }));
    assert.deepEqual((await stream([{ metrics: body.metrics, intervals: own }, ...lines])).intervals, intervals);
    const other = (await ask({ ...body, intervals: { ...own, seed: 8 } })).intervals;
    assert.notDeepEqual(other?.f1_macro, intervals?.f1_macro);
  });

  it("measures by group, in one body, as lines, and of rows and a model", async () => {
    const metrics = [
      { use: "by-group", with: { metric: { use: "f1", with: { average: "macro" } }, column: "region" } },
      { use: "demographic-parity", with: { column: "region", positive: "yes" } },
    ];
    const rows = [["yes", "yes", "n"], ["no", "yes", "n"], ["yes", "no", "s"], ["yes", "yes", "s"], ["no", "no", "s"]];
    const [predictions, references, region] = [0, 1, 2].map((i) => rows.map((row) => row[i]));
    const body = { metrics, predictions, references, groups: { region } };
    const answer = await ask({ ...body, intervals: { samples: 50 } }) as unknown as {
      metrics: Named<Named<Named<Json>>>;
    };
    const { f1_macro_by_region: f1s, "demographic-parity": parity } = answer.metrics;
    assert.deepEqual([f1s?.n?.count, f1s?.s?.count], [2, 3]);
    assert.ok(Math.abs(Number(f1s?.n?.value) - 1 / 3) < 1e-12 && Array.isArray(f1s?.n?.value_interval));
    assert.ok(Math.abs(Number(parity?.difference) - (2 / 3 - 1 / 2)) < 1e-12);
    assert.ok(Array.isArray(parity?.difference_interval));
    assert.ok(Number(parity?.difference_by_chance) > 0 && Array.isArray(parity?.difference_by_chance_interval));
    const lines = rows.map(([prediction, reference, region]) => ({ prediction, reference, groups: { region } }));
    const plain = await ask(body);
    assert.deepEqual((await stream([{ metrics, labels: ["no", "yes"] }, ...lines])).metrics, plain.metrics);
    const placed = tinyRows.map((row, i) => ({ ...row, region: i % 2 ? "n" : "s" }));
    const by = [{ use: "by-group", with: { metric: "accuracy", column: "region" } }];
    const model = await ask({ model: "tiny", task, rows: placed, metrics: by }) as unknown as typeof answer;
    assert.deepEqual(Object.keys(model.metrics.accuracy_by_region ?? {}), ["n", "s"]);
    const asked = { model: "tiny", task, rows: placed, metrics: ["accuracy", ...by], intervals: { samples: 50 } };
    const { metrics: values, intervals } = await ask(asked) as unknown as typeof answer & {
      intervals: Answer["intervals"];
    };
    assert.deepEqual(values.accuracy_by_region?.n?.value, model.metrics.accuracy_by_region?.n?.value);
    assert.ok(Array.isArray(values.accuracy_by_region?.n?.value_interval));
    assert.ok(
      (intervals?.accuracy?.low ?? 9) <= Number(values.accuracy) &&
        Number(values.accuracy) <= (intervals?.accuracy?.high ?? 0),
    );
    await refused({ ...body, groups: { region: ["n"] } }, /groups\.region: expected as many/);
    await refused({ ...body, groups: {} }, /row 0.*column "region"/);
    await refused(
      { ...body, metrics: [{ use: "by-group", with: { metric: "acuracy", column: "region" } }] },
      /acuracy/,
    );
  });

  it("says what is wrong, and in which row", async () => {
    const pair = { predictions: [1, 0], references: [1, 1] };
    await refused({ metrics: ["acuracy"], ...pair }, /acuracy.*did you mean "accuracy"/);
    await refused({ metrics: [{ use: "f1", with: { averge: "macro" } }], ...pair }, /averge/);
    await refused({ metrics: ["accuracy"], predictions: [1], references: [1, 1] }, /references: expected as many/);
    await refused(
      { metrics: ["accuracy"], predictions: [0, "x"], references: [0, 0], labels: ["a"] },
      /row 1.*a class/,
    );
    await refused({ metrics: ["accuracy"], predictions: [1, 0.5], references: [1, 1] }, /row 1.*0\.5/);
    await refused({ metrics: ["roc-auc"], ...pair }, /row 0.*score/);
    await refused({ metrics: ["bleu"], ...pair }, /row 0.*text/);
    await refused({ metrics: ["accuracy"], ...pair, colour: 1 }, /colour/);
    await refused({ metrics: ["accuracy"], model: "tiny", task, rows: tinyRows, predictions: [] }, /predictions/);
    await refused({
      metrics: ["accuracy"],
      model: "tiny",
      task: { use: "distillation", with: { teacher: {} } },
      rows: tinyRows,
    }, /teacher/);
    const wrong = [{ text: "a film", label: "god" }];
    await refused({ model: "tiny", task, rows: wrong }, /row 0.*"god", did you mean "good"/);
    assert.equal((await post("/v1/evaluate", { model: "none", task, rows: tinyRows })).status, 404);
    assert.match((await stream([{ prediction: 1, reference: 1 }])).error?.message ?? "", /metrics/);
    assert.match(
      (await stream([{ metrics: ["accuracy"] }, { prediction: 1, reference: [1] }])).error?.message ?? "",
      /row 0/,
    );
  });
});
