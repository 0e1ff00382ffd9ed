/**
 * Augmenting with models that were trained here: two runs of seq2seq-lm translate there and back, and a training run takes what
 * comes of it.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { compose } from "../../core/spec/compose.ts";
import { train } from "../../core/run/train/train_whole.ts";
import type { Json, Named, Row } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { openSaved } from "../../runtimes/serve/saved.ts";
import { starterSeq2seq } from "../../recipes/starter.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-back-"));
after(() => rmSync(folder, { recursive: true }));

/** Words in another language. */
const other: Named<string> = { film: "kino", good: "gut", bad: "schlecht", the: "der", was: "war", food: "essen" };
const here = ["the film was good", "the food was bad", "the film was bad", "the food was good"];
const there = here.map((text) => text.split(" ").map((word) => other[word] ?? word).join(" "));
/** What comes back is said in other words. */
const again = here.map((text) => text.replace("film", "movie").replace("good", "fine").replace("bad", "poor"));
const rows: Row[] = here.map((text, i) => ({ text, label: i % 2 ? "bad" : "good" }));

it("back-translation by two runs that were trained a few steps makes rows that a run trains on", async () => {
  const host = await hostHere(1);
  const base = await starterSeq2seq(host, join(folder, "base"));
  const trained = async (name: string, from: readonly string[], to: readonly string[]): Promise<string> => {
    const output = join(folder, name);
    const spec = {
      version: 1,
      model: { use: "pretrained", with: { path: base } },
      task: { use: "seq2seq-lm", with: { maxTargetLength: 8, generation: { maxNewTokens: 8 } } },
      data: { train: { use: "memory", with: { rows: from.map((source, i) => ({ source, target: to[i] })) } } },
      training: { maxSteps: 120, perDeviceTrainBatchSize: 4, learningRate: 0.001, maxLength: 16, saveStrategy: "no" },
    };
    await train(compose(spec as never, catalog), host, { output });
    return output;
  };
  const models = [await trained("to", here, there), await trained("from", there, again)];
  const spec = (seed: number) => ({
    version: 1,
    model: "attune:base",
    task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
    data: {
      train: {
        use: "memory",
        with: { rows: rows as unknown as Json },
        transforms: [{ use: "augment", with: { methods: ["back-translate"], models } }],
      },
    },
    adapter: "lora",
    training: { maxSteps: 1, maxLength: 16, seed },
  });
  const augmented = async (seed: number): Promise<Row[]> => {
    const rows: Row[] = [];
    const opened = await compose(spec(seed) as never, catalog).data.train?.open(host);
    for await (const { row } of opened?.read() ?? []) rows.push(row);
    return rows;
  };
  const [to, from] = [await openSaved(models[0] ?? "", host), await openSaved(models[1] ?? "", host)];
  const expected: Row[] = [];
  for (const row of rows) {
    expected.push(row);
    const [middle] = await to.predict([{ source: row.text }]);
    const [back] = await from.predict([{ source: String((middle as Named<unknown>).text) }]);
    const text = String((back as Named<unknown>).text);
    // What comes back as it was is no further row.
    if (text.trim() !== "" && text !== row.text) expected.push({ ...row, text });
  }
  await to.close();
  await from.close();
  assert.ok(expected.length > rows.length);
  const found = await augmented(1);
  assert.deepEqual(found, expected);
  assert.deepEqual(await augmented(1), found);
  const output = join(folder, "run");
  const { reason } = await train(compose(spec(1) as never, catalog), host, { output });
  assert.equal(reason, "done");
  const { train: report } = JSON.parse(readFileSync(join(output, "data.json"), "utf8"));
  assert.deepEqual([report.in, report.out], [rows.length, found.length]);
});
