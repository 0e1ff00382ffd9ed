/** Evaluations row by row: generated text, windows, tags, clusters, and what is kept of rows. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { compareStatistics } from "../../../core/evaluation/compare.ts";
import { evaluateRows, resamplingOf } from "../../../core/evaluation/evaluate_rows.ts";
import { parsePrediction, predictionLine, readPrediction } from "../../../core/evaluation/predictions.ts";
import { collectStatistics } from "../../../core/evaluation/row_statistics.ts";
import { intervalsOf } from "../../../core/statistics/resampled.ts";
import { createRandom } from "../../../core/math/random.ts";
import { openRun } from "../../../core/run/open/open.ts";
import type { Json, Metric, Named, Row, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { accuracy } from "../../../plugins/metrics/accuracy.ts";
import { f1 } from "../../../plugins/metrics/f1.ts";
import { mae } from "../../../plugins/metrics/mae.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost } from "../../tiny.ts";

const config = {
  model_type: "llama",
  vocab_size: 30,
  hidden_size: 8,
  intermediate_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  max_position_embeddings: 40,
};

async function openLanguageModel(metrics: Json): ReturnType<typeof openRun> {
  const host = tinyHost(await hostHere(1), { "config.json": new TextEncoder().encode(JSON.stringify(config)) });
  const spec = {
    version: 1,
    model: { use: "random", with: { path: "tiny:model" } },
    task: { use: "causal-lm", with: { generation: { maxNewTokens: 4 } } },
    data: {},
    metrics,
    training: { perDeviceEvalBatchSize: 3 },
  };
  return await openRun(compose(spec as unknown as RunSpec, catalog), host);
}

describe("an evaluation row by row", () => {
  it("of generated text: answers, groups, intervals, and the same from its lines", async () => {
    const open = await openLanguageModel(["exact-match", "bleu"]);
    const rows: readonly Row[] = ["good", "bad", "dull", "fun", "nice", "the", "a"].map((completion, i) => ({
      prompt: `the film was ${i}`,
      completion,
      region: i < 3 ? "north" : "south",
    }));
    const lines: string[] = [];
    const options = { intervals: 50, by: ["region"], statistics: true };
    const found = await evaluateRows(open, memory({ rows: [...rows] }), {
      ...options,
      answered: (example, groups) =>
        void (example.prediction !== undefined && lines.push(predictionLine(example, groups))),
    });
    assert.equal(found.kind, "text");
    assert.equal(found.rows, 7);
    assert.equal(typeof found.figures["exact-match"], "number");
    assert.ok(Array.isArray(found.figures["exact-match_interval"]) && Array.isArray(found.figures.bleu_interval));
    const { north } = found.figures["exact-match_by_region"] as Named<Named<Json>>;
    assert.deepEqual([north?.count, Array.isArray(north?.value_interval)], [3, true]);
    const texts = lines.filter((line) => typeof JSON.parse(line).prediction === "string");
    assert.deepEqual(texts.map((line) => JSON.parse(line).label), rows.map((row) => row.completion));
    // The same file again is the same model: no difference at all.
    const collector = collectStatistics(found.statistics.map(({ metric }) => metric), []);
    texts.forEach((line, i) => collector.add(readPrediction(parsePrediction(line, i + 1), "text", [])));
    const { differences } = compareStatistics(collector.end(), found.statistics, resamplingOf(options));
    assert.ok(Object.keys(differences).length >= 3);
    for (const [key, { difference, interval }] of Object.entries(differences)) {
      assert.deepEqual([difference, interval?.low ?? 0, interval?.high ?? 0], [0, 0, 0], key);
    }
  });

  it("of a task that generates and measures no text: answers of every row, where they are asked for", async () => {
    const rows: readonly Row[] = ["good", "bad", "dull", "fun"].map((completion, i) => ({
      prompt: `the film was ${i}`,
      completion,
      region: i < 2 ? "north" : "south",
    }));
    const lines = async (generates: boolean): Promise<readonly Named<Json>[]> => {
      const found: Named<Json>[] = [];
      const { kind, metrics } = await evaluateRows(await openLanguageModel([]), memory({ rows: [...rows] }), {
        generates,
        columns: ["region"],
        answered: (example, groups) => void found.push(JSON.parse(predictionLine(example, groups))),
      });
      assert.deepEqual([kind, typeof metrics.loss], [undefined, "number"]);
      return found;
    };
    assert.deepEqual(await lines(false), []);
    const answers = await lines(true);
    assert.deepEqual(
      answers.map(({ row, label, groups }) => [row, label, groups]),
      rows.map((row, i) => [
        i,
        row.completion,
        { region: row.region },
      ]),
    );
    assert.ok(answers.every(({ prediction }) => typeof prediction === "string"));
  });

  it("lines of every kind are read as they were written; what is none is named", () => {
    const groups = { region: "north" };
    const of = (
      kind: Parameters<typeof readPrediction>[1],
      reference: Json,
      prediction: Json,
      scores?: number[],
    ): unknown =>
      readPrediction(
        parsePrediction(
          predictionLine({ row: 4, text: "", reference, prediction, ...(scores ? { scores } : {}) }, groups),
          1,
        ),
        kind,
        ["bad", "good"],
      );
    const read = (readings: object): object => ({ rows: [4], readings, columns: [groups] });
    assert.deepEqual(
      of("label", "good", "bad", [0.75, 0.25]),
      read({ label: [{ reference: 1, prediction: 0, scores: [0.75, 0.25] }] }),
    );
    assert.deepEqual(of("labels", ["good"], []), read({ labels: [{ reference: [1], prediction: [] }] }));
    assert.deepEqual(of("number", 1.5, 2), read({ number: [{ reference: 1.5, prediction: 2 }] }));
    assert.deepEqual(of("tags", ["O"], ["B-X"]), read({ tags: [{ reference: ["O"], prediction: ["B-X"] }] }));
    assert.deepEqual(of("text", ["a", "b"], "a"), read({ text: [{ references: ["a", "b"], prediction: "a" }] }));
    assert.throws(() => of("label", "great", "bad"), /predictions\.jsonl, line 1.*label/);
    assert.throws(() => readPrediction(parsePrediction("{", 7), "label", []), /line 7.*not JSON/);
  });

  const statisticsOf = (
    metric: Metric,
    n: number,
    wrong: (i: number) => boolean,
    clusterOf?: (i: number) => string,
  ) => {
    const collector = collectStatistics([metric], undefined);
    for (let i = 0; i < n; i++) {
      const label = [{ prediction: wrong(i) ? 0 : 1, reference: 1 }];
      collector.add({ rows: [i], readings: { label } }, clusterOf && [clusterOf(i)]);
    }
    const [own] = collector.end();
    assert.ok(own);
    return own;
  };

  it("intervals are Wilson's of shares, and wider where rows come in clusters", () => {
    const wrong = (i: number): boolean => Math.floor(i / 10) % 4 === 0;
    const options = { samples: 400, random: createRandom(3) };
    const { accuracy: alone } = intervalsOf(statisticsOf(accuracy(), 200, wrong), options);
    assert.equal(alone?.method, "wilson");
    const own = statisticsOf(accuracy(), 200, wrong, (i) => String(Math.floor(i / 10)));
    const { accuracy: clustered } = intervalsOf(own, options);
    assert.equal(clustered?.method, "bca");
    const width = (one: typeof alone): number => (one?.high ?? 0) - (one?.low ?? 0);
    // 20 clusters of rows that are all right or all wrong say as much as 20 rows: wider by the root of 10.
    assert.ok(
      width(clustered) > 2.2 * width(alone) && width(clustered) < 4.2 * width(alone),
      `${width(clustered)} ${width(alone)}`,
    );
  });

  it("keeps a number a row of means, and each distinct state once of the rest", () => {
    const own = statisticsOf(f1({ average: "macro" }), 5000, (i) => i % 3 === 0);
    assert.deepEqual(Object.keys(own.units().means), []);
    const all = own.units().compute(new Uint32Array(5000).fill(1));
    assert.ok(Math.abs((all.f1_macro ?? 0) - (own.values.f1_macro ?? 1)) < 1e-12);
    const means = statisticsOf(mae(), 0, () => false);
    assert.deepEqual(means.values, { mae: null });
    assert.deepEqual(intervalsOf(means, { samples: 10, random: createRandom(1) }), {});
  });
});
