import assert from "node:assert/strict";
import { test } from "node:test";
import { checkMetricsReference } from "../../reference/metrics.ts";
import { sharedPath, SKIP_REASON } from "../../shared.ts";
import { metricCatalog } from "./catalog.ts";

const path = sharedPath("reference/metrics.json");

test("metrics equal scikit-learn, scipy, seqeval, sacrebleu, rouge_score, nltk and jiwer", {
  skip: path ? false : SKIP_REASON,
}, async () => {
  const { items } = await checkMetricsReference(path ?? "", metricCatalog);
  assert.ok(items.length > 100);
  assert.deepEqual(items.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`), []);
});

test("a metric that is not there is listed as missing", { skip: path ? false : SKIP_REASON }, async () => {
  const { items } = await checkMetricsReference(path ?? "", {});
  assert.ok(items.every(({ ok, detail }) => !ok && detail === "missing"));
});
