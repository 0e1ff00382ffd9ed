import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { collectStatistics } from "../../../core/evaluation/row_statistics.ts";
import type { RowReadings } from "../../../core/loop/rows.ts";
import type { Batch, Tensor } from "../../../core/types.ts";
import { accuracy } from "../../../plugins/metrics/accuracy.ts";
import { byGroup } from "../../../plugins/metrics/by_group.ts";
import { perplexity } from "../../../plugins/metrics/perplexity.ts";
import { tokenPlaces, tokenReadings } from "../../../blocks/task/mod.ts";

const int = (...data: number[]): Tensor => ({ dtype: "int32", dims: [data.length], data: Int32Array.from(data) });
const float = (...data: number[]): Tensor => ({ dtype: "float32", dims: [data.length], data: Float32Array.from(data) });

describe("readings of places", () => {
  // Two rows of three places; as many labels are learned as there are rows, both of the second row.
  const batch = {
    inputs: { labels: int(-100, 4, 5), "labels.at": int(0, 4, 5) },
    samples: 2,
    sequences: 2,
    rows: Int32Array.of(7, 8),
    tokenOrigins: Int32Array.of(0, 0, 0, 1, 0, 2, 1, 0, 1, 1, 1, 2),
  } as unknown as Batch;
  const outputs = { predictions: int(0, 4, 9), logProbabilities: float(0, -0.5, -0.25) };
  const readings = tokenReadings(outputs, batch);
  const columns = [{ side: "n" }, { side: "s" }];
  const read: RowReadings = { rows: batch.rows, readings, places: tokenPlaces(batch), columns };
  it("are of their rows, also where there are as many as rows", () => {
    assert.deepEqual(readings.loss, [{ sum: 0, count: 0 }, { sum: 0.75, count: 2 }]);
    assert.deepEqual(tokenPlaces(batch), { label: Int32Array.of(1, 1) });
    const collector = collectStatistics([accuracy(), perplexity()], undefined);
    collector.add(read);
    const [right, likely] = collector.end();
    assert.deepEqual(right?.units().names, [8], "tokens of one row are resampled together");
    assert.equal(right?.values.accuracy, 0.5);
    assert.deepEqual(likely?.units().names, [7, 8]);
  });
  it("have the columns of their rows", () => {
    const grouped = collectStatistics([byGroup({ metric: perplexity(), column: "side" })], undefined);
    grouped.add(read);
    const [{ values = {} } = {}] = grouped.end();
    assert.ok(Math.abs((values["perplexity_by_side\u0000s\u0000value"] ?? 0) - Math.exp(0.375)) < 1e-12);
    const tokens = collectStatistics([byGroup({ metric: accuracy(), column: "side" })], undefined);
    tokens.add(read);
    // Both learned places are of the second row, and one is right.
    assert.deepEqual(tokens.end()[0]?.values, {
      "accuracy_by_side\u0000s\u0000value": 0.5,
      "accuracy_by_side\u0000s\u0000count": 2,
    });
    const { places: _, ...unplaced } = { ...read, rows: [7] };
    assert.throws(() => tokens.add(unplaced), /per token, not per row/);
  });
});
