import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { predictRows } from "../../../core/run/evaluate/infer.ts";
import { openRun } from "../../../core/run/open/open.ts";
import type { Named, Row, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { pairs } from "../../../plugins/data/pairs.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinyRows } from "../../tiny.ts";
import { host, specOf, trained } from "./helpers.ts";
import { collect } from "../../../core/base/collect.ts";

const few = tinyRows.slice(0, 5);
const madeOf = async (options: object): Promise<Row[]> => {
  const rows: Row[] = [];
  const opened = await pairs({ source: memory({ rows: few }), ...options }).open(await hostHere(1));
  for await (const { row } of opened.read()) rows.push(row);
  return rows;
};

describe("pairs of rows", () => {
  it("are all there are, as many of either kind as was asked for", async () => {
    const counts = async (samplingStrategy: string): Promise<number[]> => {
      const rows = await madeOf({ samplingStrategy });
      return [1, 0].map((score) => rows.filter((row) => row.score === score).length);
    };
    // 3 good and 2 bad: 6 + 3 alike, itself among them, and 6 unlike
    assert.deepEqual(await counts("unique"), [9, 6]);
    assert.deepEqual(await counts("oversampling"), [9, 9]);
    assert.deepEqual(await counts("undersampling"), [6, 6]);
    const label = new Map(few.map((row) => [row.text, row.label]));
    for (const { text, textPair, score } of await madeOf({})) {
      assert.equal(score, Number(label.get(text) === label.get(textPair)));
    }
  });
  it("are each pair once, of many rows too: they are made as they are read", async () => {
    const rows = Array.from({ length: 600 }, (_, i) => ({ text: String(i), label: i * i % 7 }));
    const opened = await pairs({ source: memory({ rows }), samplingStrategy: "unique" }).open(await hostHere(1));
    assert.equal(opened.length, 600 * 601 / 2);
    const seen = new Set<number>();
    for await (const { row: { text, textPair, score } } of opened.read()) {
      const [a, b] = [Number(text), Number(textPair)];
      assert.ok(a <= b && score === Number(rows[a]?.label === rows[b]?.label));
      seen.add(600 * a + b);
    }
    assert.equal(seen.size, opened.length);
    assert.match(await opened.where?.(0) ?? "", /^row \d+ with row \d+$/);
    const many = Array.from({ length: 70_000 }, (_, i) => ({ text: String(i), label: i % 2 }));
    await assert.rejects(
      async () => await pairs({ source: memory({ rows: many }) }).open(await hostHere(1)),
      /maxPairs.*there are 2450070000 pairs/,
    );
  });
  it("come in the order of their seed, and no more of them than wanted", async () => {
    assert.deepEqual(await madeOf({ seed: 1, maxPairs: 7 }), await madeOf({ seed: 1, maxPairs: 7 }));
    assert.notDeepEqual(await madeOf({ seed: 1 }), await madeOf({ seed: 2 }));
    assert.equal((await madeOf({ maxPairs: 7 })).length, 7);
    await assert.rejects(async () =>
      await pairs({ source: memory({ rows: few.slice(0, 1) }) }).open(await hostHere(1))
    );
  });
});

describe("sentence similarity", () => {
  it("learns cosines, and answers texts with embeddings", async () => {
    const rows = await madeOf({ seed: 3 });
    const spec = specOf({ use: "sentence-similarity" }, rows, { training: { numTrainEpochs: 8, learningRate: 0.01 } });
    const run = compose(spec as unknown as RunSpec, catalog);
    const asked = memory({ rows: [{ text: few[0]?.text }, { text: few[1]?.text }, rows[0] ?? {}] });
    const lines = await collect(predictRows(await openRun(run, tinyHost(await hostHere(1))), asked));
    const [a, b] = lines.slice(0, 2).map((row) => row.embedding as number[]);
    assert.ok(Math.abs((a ?? []).reduce((sum, x) => sum + x * x, 0) - 1) < 1e-5);
    assert.notDeepEqual(a, b);
    const { losses, metrics } = await trained(spec);
    assert.ok(
      (metrics.mse ?? NaN) < 0.5 * (losses[0] ?? NaN) && (metrics.spearman ?? NaN) > 0.7,
      `${losses[0]} to ${metrics.mse}, ${metrics.spearman}`,
    );
  });

  it("a cosine is that of the two embeddings", async () => {
    const [one, two] = [few[0]?.text, few[1]?.text];
    const run = compose(specOf({ use: "sentence-similarity" }, few) as unknown as RunSpec, catalog);
    const lines: Named<unknown>[] = [];
    const asked = memory({ rows: [{ text: one, textPair: two }, { text: one }, { text: two }] });
    for await (const row of predictRows(await openRun(run, await host()), asked)) lines.push(row);
    const [a, b] = lines.slice(1).map((row) => row.embedding as number[]);
    const cosine = (a ?? []).reduce((sum, x, i) => sum + x * (b?.[i] ?? NaN), 0);
    assert.ok(Math.abs(cosine - Number(lines[0]?.score)) < 1e-6);
  });
});

describe("a linear classifier on frozen embeddings", () => {
  it("learns, and leaves the encoder", async () => {
    const { losses, events, metrics } = await trained(specOf(
      { use: "sequence-classification", with: { labels: ["bad", "good"] } },
      tinyRows,
      {
        head: { use: "pooled", with: { numLabels: 2 } },
        adapter: ["freeze"],
        training: { numTrainEpochs: 10, learningRate: 0.1 },
      },
    ));
    assert.ok(Math.abs((losses[0] ?? NaN) - Math.log(2)) < 1e-6);
    assert.ok((metrics.loss ?? NaN) < 0.6);
    assert.ok(events.some((e) => e.type === "start" && e.trainableParameters === 2 * 16 + 2));
  });
});
