/** Quantized bases as a user asks for them: in a spec, on the command line. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "../../runtimes/cli/main.ts";
import { commands, here, started } from "../faults/killed_runs.ts";
import { itInPart } from "../sampled.ts";

const some = itInPart(3);

const folder = mkdtempSync(join(tmpdir(), "attune-cli-accelerators-"));
const rows = Array.from(
  { length: 12 },
  (_, i) => ({ text: `a ${i % 2 ? "good" : "bad"} film`, label: i % 2 ? "good" : "bad" }),
);
const data = join(folder, "rows.jsonl");
writeFileSync(data, rows.map((row) => JSON.stringify(row)).join("\n") + "\n");
const written = (name: string, change: object): string => {
  const spec = {
    version: 1,
    model: "attune:base",
    task: "sequence-classification",
    data: { train: "./rows.jsonl", eval: "./rows.jsonl" },
    adapter: { use: "lora", with: { r: 2 } },
    training: { maxSteps: 2, maxLength: 16 },
    ...change,
  };
  writeFileSync(join(folder, name), JSON.stringify(spec));
  return join(folder, name);
};

/** What a command prints, and its exit code. */
async function said(...args: readonly string[]): Promise<Readonly<{ code: number | null; output: string }>> {
  return await started([...commands[here] ?? [], ...args]);
}

some("a run over nf4 is planned, trained, and predicts from its folder", async () => {
  const spec = written("nf4.json", { accelerators: [{ use: "nf4", with: { useDoubleQuant: true } }] });
  const plan = await said("plan", spec);
  assert.equal(plan.code, 0);
  assert.match(plan.output, /frozen weights .*\d+ weights, nf4, block 64, double: [\d,]+ B; float32 [\d.]+ [kM]B/);
  assert.match(plan.output, /dequantization buffer +[\d.]+ MB/);
  assert.match(plan.output, /trainable +[\d.]+ MB/);
  const output = join(folder, "out");
  assert.equal(await main(["run", spec, "--output", output]), 0);
  assert.equal(JSON.parse(readFileSync(join(output, "spec.json"), "utf8")).accelerators[0].use, "nf4");
  const predicted = await said("predict", output, "--input", data);
  assert.equal(predicted.code, 0, predicted.output);
  const lines = predicted.output.split("\n").filter((line) => line.startsWith("{"));
  const predictions = lines.map((line) => JSON.parse(line));
  assert.equal(predictions.length, rows.length);
  assert.deepEqual(Object.keys(predictions[0].scores).sort(), ["bad", "good"]);
  const merged = await said("export", output, "--format", "hf", "--merge", "--verify", "--output", join(folder, "hf"));
  assert.equal(merged.code, 0, merged.output);
  const config = JSON.parse(readFileSync(join(folder, "hf/config.json"), "utf8"));
  assert.equal(config.quantization_config, undefined);
});

some("a run whose weights train is planned, trained and saved with products in int8", async () => {
  const spec = written("int8.json", { adapter: [], accelerators: ["int8"], training: { maxSteps: 1, maxLength: 16 } });
  const plan = await said("plan", spec);
  assert.equal(plan.code, 0, plan.output);
  assert.match(plan.output, /trainable +[\d.]+ MB {3}\d+ weights, int8 of weights that train, products in int8\n/);
  const output = join(folder, "int8");
  const run = await said("run", spec, "--output", output);
  assert.equal(run.code, 0, run.output);
  assert.match(run.output, /mean loss changes by/);
  const predicted = await said("predict", output, "--input", data);
  assert.equal(predicted.code, 0, predicted.output);
  assert.equal(predicted.output.split("\n").filter((line) => line.startsWith("{")).length, rows.length);
});

some("what may not be is exit code 2, a drift that may not be 3, and nothing is trained", async () => {
  const wrong = async (accelerators: unknown, code: number): Promise<void> => {
    const output = join(folder, "wrong");
    assert.equal(await main(["run", written("wrong.json", { accelerators }), "--output", output]), code);
    assert.ok(!existsSync(join(output, "adapter")));
  };
  await wrong([{ use: "nf4", with: { loadIn4bit: true } }], 2);
  await wrong([{ use: "nf4", with: { skipModules: ["nothing"] } }], 2);
  await wrong(["nf4", "int8"], 2);
  await wrong([{ use: "int4", with: { maxLossDrift: 0 } }], 3);
});
