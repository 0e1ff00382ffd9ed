/** Masking: shares, whole words, what is never masked, pairs of sentences. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { encodeRows } from "../../../core/run/rows/data.ts";
import { allSamples } from "../../../core/run/rows/encoded_rows.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { predictRows } from "../../../core/run/evaluate/infer.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Row, RunSpec, Sample } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { families, tinyModel } from "../../conformance/families.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";
import { near } from "../../near.ts";
import { collect } from "../../../core/base/collect.ts";

const host = tinyHost(await hostHere(1));
const text = "the very nice film was good and the foods was awfully dull !";
const rows = Array.from({ length: 400 }, () => ({ text }));
const spec = (options: object, of: readonly Row[] = rows, use = "masked-lm"): RunSpec =>
  ({ ...tinySpec({ rows: of }), task: { use, with: options }, metrics: [] }) as unknown as RunSpec;

async function samplesOf(
  run: RunSpec,
): Promise<{ samples: readonly Sample[]; again: (i: number, epoch: number) => Promise<Sample | undefined> }> {
  const open = await openRun(compose(run, catalog), host);
  const dataset = open.run.data.train;
  assert.ok(dataset);
  const encoded = await encodeRows(open, dataset, true);
  assert.ok(encoded.redrawn);
  return {
    samples: await allSamples(encoded),
    again: async (i, epoch) => (await encoded.samples([i], epoch))[0],
  };
}

const field = (
  sample: Sample | undefined,
  name: string,
): number[] => [...sample?.sequences[0]?.fields[name]?.data ?? []];
const MASK = 4;

describe("masked-lm", () => {
  it("chooses and replaces the shares that it is told, and never special tokens", async () => {
    const { samples } = await samplesOf(spec({ mlmProbability: 0.3 }));
    const [plain] = (await samplesOf(spec({ mlmProbability: 0.3, maskReplaceProb: 0, randomReplaceProb: 0 }))).samples;
    const ids = field(plain, "input_ids");
    let [chosen, masks, same] = [0, 0, 0];
    for (const sample of samples) {
      const [input, labels] = [field(sample, "input_ids"), field(sample, "labels")];
      assert.equal(labels[0], -100);
      assert.equal(labels.at(-1), -100);
      labels.forEach((label, i) => {
        if (label === -100) return assert.equal(input[i], ids[i]);
        chosen++;
        assert.equal(label, ids[i]);
        if (input[i] === MASK) masks++;
        else if (input[i] === ids[i]) same++;
      });
    }
    near(chosen / (samples.length * (ids.length - 2)), 0.3, 0.03);
    // One random token in 28 is the mask or the token itself.
    near(masks / chosen, 0.8 + 0.1 / 28, 0.03);
    near(same / chosen, 0.1 + 0.1 / 28, 0.03);
  });
  it("chooses words as a whole where it is told", async () => {
    const { samples } = await samplesOf(spec({ mlmProbability: 0.4, wholeWordMask: true }));
    const [plain] = (await samplesOf(spec({ maskReplaceProb: 0, randomReplaceProb: 0 }))).samples;
    const ids = field(plain, "input_ids");
    const continued = ids.flatMap((id, i) => (id >= 26 ? [i] : [])); // ##s and ##ly
    assert.equal(continued.length, 2);
    for (const sample of samples) {
      const labels = field(sample, "labels");
      for (const i of continued) assert.equal(labels[i] === -100, labels[i - 1] === -100);
    }
  });
  it("draws anew in each epoch, and the same for the same epoch", async () => {
    const { samples, again } = await samplesOf(spec({}));
    assert.deepEqual(await again(3, 0), samples[3]);
    assert.deepEqual(await again(3, 2), await again(3, 2));
    const labels = (epoch: number) =>
      Promise.all(rows.map(async (_, i) => field(await again(i, epoch), "labels").join()));
    assert.notDeepEqual(await labels(1), await labels(2));
  });
  it("learns, and fills masks in", async () => {
    const losses: number[] = [];
    const run = compose(
      { ...spec({ mlmProbability: 0.3 }), training: { maxSteps: 60, learningRate: 0.01, seed: 3 } },
      catalog,
    );
    for await (const event of trainRun(run, host, {})) if (event.type === "step") losses.push(event.loss);
    const mean = (x: number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
    assert.ok(mean(losses.slice(-10)) < 0.5 * mean(losses.slice(0, 10)), losses.join(" "));
    const shares = await collect(
      predictRows(await openRun(run, host), memory({ rows: [{ text: "the [MASK] was good ." }] }), {
        untrained: true,
      }),
    );
    const [fill] = shares[0]?.fills as { token: string; score: number }[];
    assert.ok(fill && fill.score > 0 && fill.score <= 1);
  });
});

describe("pretraining", () => {
  const documents = Array.from({ length: 60 }, (_, i) => ({
    sentences: i % 2 ? ["the film was good .", "a nice film !"] : ["the phone was bad .", "a poor phone !"],
  }));
  it("pairs neighbours, and strangers in half of them", async () => {
    const { samples } = await samplesOf(spec({}, documents, "pretraining"));
    const labels = samples.map((sample) => sample.targets.next_sentence_label?.data[0] ?? -1);
    assert.equal(samples.length, 60);
    assert.ok(labels.every((label) => label === 0 || label === 1));
    const share = labels.filter((label) => label === 1).length / labels.length;
    assert.ok(share > 0.25 && share < 0.75, String(share));
  });
  it("turns pairs round for ALBERT", async () => {
    const model = tinyModel(families.albert ?? assert.fail());
    const { samples } = await samplesOf({ ...spec({}, documents, "pretraining"), model } as unknown as RunSpec);
    const begins: Record<number, Set<number>> = { 0: new Set(), 1: new Set() };
    for (const sample of samples) {
      const [ids, labels] = [field(sample, "input_ids"), field(sample, "labels")];
      const first = labels[1] === -100 ? ids[1] : labels[1];
      begins[Number(sample.targets.next_sentence_label?.data[0])]?.add(first ?? -1);
    }
    // In order, every document begins with "the", and goes on with "a".
    assert.deepEqual([begins[0]?.size, begins[1]?.size], [1, 1]);
    assert.notDeepEqual(begins[0], begins[1]);
  });
  it("refuses a document of one sentence, and one document alone", async () => {
    await assert.rejects(
      samplesOf(spec({}, [{ sentences: ["a film"] }], "pretraining")),
      /row 0.*at least two sentences/,
    );
    await assert.rejects(
      samplesOf(spec({}, [{ sentences: Array(40).fill("a film") }], "pretraining")),
      /at least two.*one document/,
    );
  });
});
