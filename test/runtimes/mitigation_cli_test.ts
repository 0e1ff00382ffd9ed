/** What helps against a gap between groups, as docs/evaluation.md has it: figures before and after, from the command line. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { before, describe, it } from "node:test";
import { writeSafetensors } from "../../core/files/safetensors.ts";
import type { Json, Named } from "../../core/types.ts";
import { main } from "../../runtimes/cli/main.ts";
import { tinyConfig, tinyTokenizer, tinyWeights } from "../tiny.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-mitigation-"));
const at = (name: string): string => join(folder, name);
const file = (...path: readonly string[]): Named<Json> => JSON.parse(readFileSync(join(folder, ...path), "utf8"));

/** Who praises is as good in both regions; labels of the north are kinder. */
const positive = { north: { good: 0.95, bad: 0.6 }, south: { good: 0.7, bad: 0.05 } };
const rows = (each: number): readonly Named<Json>[] =>
  Object.entries(positive).flatMap(([region, of]) =>
    Object.entries(of).flatMap(([word, share]) =>
      Array.from({ length: each }, (_, i) => ({
        text: `the ${region === "north" ? "film" : "food"} was ${word}`,
        region,
        label: i < Math.round(share * each) ? "positive" : "negative",
      }))
    )
  );

/** What a command prints; it must end well. */
async function attune(...args: readonly string[]): Promise<string> {
  let said = "";
  const [out, err] = [process.stdout.write, process.stderr.write];
  const captured = (real: typeof process.stdout.write, keep: boolean): typeof process.stdout.write =>
    ((text: string | Uint8Array) =>
      typeof text === "string"
        ? (said += keep ? text : "", true)
        : real.call(process.stdout, text)) as typeof process.stdout.write;
  process.stdout.write = captured(out, true);
  process.stderr.write = captured(err, false);
  try {
    assert.equal(await main(args), 0, said);
  } finally {
    [process.stdout.write, process.stderr.write] = [out, err];
  }
  return said;
}

type Gap = Readonly<{ difference: number; difference_by_chance_interval: readonly [number, number] }>;

async function trained(name: string, transforms: Json): Promise<Readonly<{ accuracy: number; gap: Gap }>> {
  const data = {
    leakThreshold: 1,
    train: { use: "jsonl", with: { path: "./train.jsonl" }, transforms },
    eval: { use: "jsonl", with: { path: "./eval.jsonl" } },
    test: { use: "jsonl", with: { path: "./test.jsonl" } },
  };
  const spec = {
    version: 1,
    name,
    model: { use: "pretrained", with: { path: "./model" } },
    task: { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
    data,
    metrics: ["accuracy", { use: "demographic-parity", with: { column: "region", positive: "positive" } }],
    training: { learningRate: 0.005, numTrainEpochs: 6, perDeviceTrainBatchSize: 16 },
  };
  writeFileSync(at(`${name}.json`), JSON.stringify(spec));
  await attune("run", at(`${name}.json`), "--output", at(name), "--json");
  const { accuracy, "demographic-parity": gap } = file(name, "metrics.json");
  return { accuracy: Number(accuracy), gap: gap as unknown as Gap };
}

describe("a gap between groups", () => {
  let plain: Awaited<ReturnType<typeof trained>>;
  before(async () => {
    mkdirSync(at("model"));
    const files = { "config.json": tinyConfig, "tokenizer.json": tinyTokenizer };
    for (const [name, value] of Object.entries(files)) writeFileSync(join(at("model"), name), JSON.stringify(value));
    writeFileSync(join(at("model"), "model.safetensors"), writeSafetensors(tinyWeights()));
    for (const [name, each] of [["train", 80], ["eval", 40], ["test", 40]] as const) {
      writeFileSync(at(`${name}.jsonl`), rows(each).map((row) => `${JSON.stringify(row)}\n`).join(""));
    }
    plain = await trained("plain", []);
  });

  it("is learned with biased labels, and is more than chance", () => {
    // All of the north, those who praise of the south.
    assert.ok(Math.abs(plain.gap.difference - 0.5) < 1e-9, JSON.stringify(plain));
    assert.ok(plain.gap.difference > plain.gap.difference_by_chance_interval[1]);
    assert.ok(Math.abs(plain.accuracy - 0.8) < 1e-9);
  });

  it("closes where training rows are reweighed, for some accuracy on these labels", async () => {
    const { accuracy, gap } = await trained("reweighed", [{ use: "reweigh", with: { column: "region" } }]);
    assert.ok(gap.difference < 1e-9, JSON.stringify(gap));
    assert.ok(Math.abs(accuracy - 0.75) < 1e-9, String(accuracy));
  });

  it("closes with a threshold for each group, without training again", async () => {
    const { thresholds } = JSON.parse(await attune("evaluate", at("plain"), "--thresholds", "region"));
    const { before, mixture, rounded } = thresholds.demographic_parity;
    assert.ok(Math.abs(before.selectionRateGap - 0.5) < 1e-9);
    assert.ok(mixture.selectionRateGap < 1e-9 && rounded.selectionRateGap < 0.5, JSON.stringify(thresholds));
    assert.ok(Math.abs(mixture.accuracy - 0.75) < 0.02);
    // Equalized odds: those who deserve it alike, those who do not alike.
    const odds = thresholds.equalized_odds;
    assert.ok(odds.before.falsePositiveRateGap > 0.5 && odds.mixture.falsePositiveRateGap < 1e-9);
    assert.ok(odds.mixture.truePositiveRateGap < 1e-9);
  });
});
