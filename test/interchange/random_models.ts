/**
 * Compares models with random configs with what transformers computes: `node test/interchange/random_models.ts DIR`, of
 * what `random_models.py` wrote. One line for each that differs or is refused; exits 1 if one differs.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { compose } from "../../core/spec/compose.ts";
import { AttuneError } from "../../core/base/errors.ts";
import { layOut } from "../../core/loop/layout.ts";
import { encodeRows } from "../../core/run/rows/data.ts";
import { allSamples } from "../../core/run/rows/encoded_rows.ts";
import { createRunEngine } from "../../core/run/plan/engine.ts";
import { openRun } from "../../core/run/open/open.ts";
import type { Batch, Json, Named, RunSpec, Tensor } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { tinyHost } from "../tiny.ts";

type Expected = Readonly<{
  name: string;
  task: string;
  fields: Json;
  rows: Json;
  loss: number;
  logits: Named<readonly [values: readonly number[], dims: readonly number[]]>;
  /** How far torch's logits are from those in float64. */
  noise: number;
}>;

const tasks: Named<Json> = {
  SequenceClassification: { use: "sequence-classification", with: { numLabels: 3 } },
  TokenClassification: { use: "token-classification", with: { numLabels: 3 } },
  QuestionAnswering: "question-answering",
  MultipleChoice: "multiple-choice",
  MaskedLM: "masked-lm",
  CausalLM: "causal-lm",
  PreTraining: "pretraining",
  ConditionalGeneration: "seq2seq-lm",
};
const here = await hostHere(1);

/** What differs of one model. */
async function differences(folder: string, expected: Expected): Promise<string[]> {
  const host = tinyHost(here, {
    "config.json": readFileSync(join(folder, "config.json")),
    "model.safetensors": readFileSync(join(folder, "model.safetensors")),
  });
  const train = { use: "memory", with: { rows: expected.rows } };
  const model = { use: "pretrained", with: { path: "tiny:model" } };
  const spec = { version: 1, model, task: tasks[expected.task], data: { train }, optimizer: "sgd" };
  const open = await openRun(compose(spec as unknown as RunSpec, catalog), host);
  const encoded = await encodeRows(open, open.run.use("data", train), true);
  const engine = await createRunEngine(open, encoded, undefined);
  const wrong = engine.fresh.length > 0 ? [`not in the file: ${engine.fresh.join(", ")}`] : [];
  const samples = await allSamples(encoded);
  const padded = layOut(samples, { ...open.layout, rowSharing: false });
  const limit = Math.max(1e-5 * Math.max(1, Math.abs(expected.loss)), 10 * expected.noise);
  for (const [what, batch] of [["padded", padded], ["shared", layOut(samples, open.layout)]] as const) {
    const { loss } = await engine.step([batch], { step: 1, learningRate: 0, maxGradNorm: 0 });
    if (!(Math.abs(loss - expected.loss) <= limit)) wrong.push(`${what} rows: loss ${loss}, not ${expected.loss}`);
  }
  if (["SequenceClassification", "TokenClassification", "CausalLM", "MaskedLM"].includes(expected.task)) {
    const { outputs } = await engine.run(padded, expected.task === "SequenceClassification");
    for (const [name, [values, dims]] of Object.entries(expected.logits)) {
      const most = furthest(outputs[name], values, dims, padded);
      if (!(most <= Math.max(2e-5, 20 * expected.noise))) wrong.push(`${name} differ by ${most}`);
    }
  }
  await engine.close();
  return wrong;
}

/** The largest difference, places of padding left out; NaN where there are not as many. */
function furthest(
  tensor: Tensor | undefined,
  values: readonly number[],
  dims: readonly number[],
  { tokenOrigins: places }: Batch,
): number {
  if (tensor?.data.length !== values.length) return NaN;
  const width = dims.at(-1) ?? 1;
  const counts = (i: number): boolean => dims.length < 3 || (places[2 * Math.floor(i / width)] ?? -1) >= 0;
  return values.reduce((most, v, i) => (counts(i) ? Math.max(most, Math.abs(Number(tensor.data[i]) - v)) : most), 0);
}

const [root = ""] = process.argv.slice(2);
const counts = { equal: 0, differ: 0, refused: 0 };
for (const name of readdirSync(root).sort()) {
  const file = join(root, name, "expected.json");
  if (!existsSync(file)) continue;
  const expected: Expected = JSON.parse(readFileSync(file, "utf8"));
  const report = (status: string, what: string): void =>
    console.log(`${status} ${name} ${expected.name}: ${what} ${JSON.stringify(expected.fields)}`);
  try {
    const wrong = await differences(join(root, name), expected);
    counts[wrong.length === 0 ? "equal" : "differ"]++;
    if (wrong.length > 0) report("differs", wrong.join("; "));
  } catch (error) {
    if (!(error instanceof AttuneError)) throw error;
    counts.refused++;
    report("refused", error.message);
  }
}
console.log(`${counts.equal} equal, ${counts.differ} differ, ${counts.refused} refused`);
process.exit(counts.differ === 0 ? 0 : 1);
