/**
 * Makes `attune:base`: a small English encoder, distilled from a sentence encoder.
 *
 *     npm run distill-base -- --teacher ./all-MiniLM-L6-v2
 *
 * Texts come from packages (recipes/base/texts.ts); sentences of the sentiment rows are left out of them. The log of the
 * training that made the base here is recipes/base/log.jsonl, every 25th step of it.
 * @module
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { createRandom, permutation } from "../core/random.ts";
import { reviews } from "../plugins/data/reviews.ts";
import { trainSpec } from "../runtimes/cli/run.ts";
import { makeFolderSync } from "../runtimes/host/make_folder.ts";
import { hostHere } from "../runtimes/host/train.ts";
import { card } from "./base/card.ts";
import { shortLog } from "./base/log.ts";
import { correlation, embeddings } from "./base/measure.ts";
import { pack } from "./base/pack.ts";
import { makeStudent } from "./base/student.ts";
import { essence, texts } from "./base/texts.ts";
import { valuesOf } from "./options.ts";

const values = valuesOf("distill-base", "makes attune:base, distilled from a sentence encoder", {
  teacher: { says: "the sentence encoder", default: "../shared/models/all-MiniLM-L6-v2" },
  work: { says: "where texts, student and run are kept", default: "runs/base" },
  vocab: { says: "tokens of the vocabulary", default: "8192", number: true },
  epochs: { says: "how often all texts are seen", default: "4", number: true },
  rate: { says: "learning rate", default: "8e-4", number: true },
  rows: { says: "at most so many texts", number: true },
  steps: { says: "optimizer steps in place of epochs", default: "-1", number: true },
  threads: { says: "threads to compute with", number: true },
  name: { says: "the run's folder in the work", default: "distilled" },
  base: { says: "where the base is written", default: "plugins/models/base" },
  resume: { says: "go on with the run that is there", flag: true },
});
const work = resolve(values.work);
const teacher = resolve(values.teacher);
const host = await hostHere();
makeFolderSync(work);

const held = new Set<string>();
for await (const { row } of (await reviews({ split: "all" }).open(host)).read()) held.add(essence(String(row.text)));
const found = texts(join(work, "packages"));
const fresh = (sentences: readonly string[]): string[] => sentences.filter((s) => !held.has(essence(s)));
const [snippets, dictionary] = [fresh(found.reviews), fresh(found.dictionary)];
// Snippets read as reviews do: they count three times. Every 50th sentence is held out, to measure by.
const isHeld = (_: string, i: number): boolean => i % 50 === 49;
const test = [...snippets.filter(isHeld), ...dictionary.filter(isHeld)];
const reviewLike = snippets.filter((s, i) => !isHeld(s, i));
const rest = dictionary.filter((s, i) => !isHeld(s, i));
const all = [...reviewLike, ...reviewLike, ...reviewLike, ...rest];
const order = permutation(createRandom(42).fork("texts"), all.length).subarray(0, Number(values.rows ?? all.length));
const write = (name: string, sentences: readonly string[]): string => {
  const path = join(work, name);
  writeFileSync(path, sentences.map((text) => JSON.stringify({ text })).join("\n") + "\n");
  return path;
};
const train = write("train.jsonl", [...order].map((i) => all[i] ?? ""));
const evaluation = write("test.jsonl", test);
console.log(
  `${snippets.length} snippets and ${dictionary.length} glosses; ${order.length} rows train, ${test.length} are held out`,
);

const student = join(work, "student");
if (!existsSync(join(student, "model.safetensors"))) {
  await makeStudent(host, { texts: all, vocabSize: Number(values.vocab), teacher, directory: student });
}

const output = join(work, values.name);
const finished = existsSync(join(output, "model/model.safetensors"));
const code = finished ? 0 : await trainSpec({
  version: 1,
  name: "base",
  // Nothing to regularise: every target is the teacher's own.
  model: {
    use: "pretrained",
    with: { path: student, config: { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 } },
  },
  task: {
    use: "distillation",
    with: {
      teacher: { use: "pretrained", with: { path: teacher } },
      embeddings: { weight: 384 },
      cache: join(work, "teacher"),
    },
  },
  data: { train: { use: "jsonl", with: { path: train } }, eval: { use: "jsonl", with: { path: evaluation } } },
  optimizer: { use: "adamw", with: { weightDecay: 0.01 } },
  schedule: { use: "linear", with: { warmupSteps: 0.05 } },
  training: {
    learningRate: Number(values.rate),
    numTrainEpochs: Number(values.epochs),
    maxSteps: Number(values.steps),
    perDeviceTrainBatchSize: 64,
    perDeviceEvalBatchSize: 64,
    maxLength: 96,
    evalStrategy: "epoch",
    saveStrategy: "epoch",
    saveTotalLimit: 1,
    loggingSteps: 50,
    seed: 42,
  },
}, { output, resume: values.resume, ...(values.threads ? { threads: Number(values.threads) } : {}) });
process.exitCode = code;

if (code === 0) {
  const [from, to] = [host.directory?.(join(output, "model")), host.directory?.(resolve(values.base))];
  if (!from || !to) throw new Error("This recipe needs a host with files");
  const sentences = test.slice(0, 2000);
  const vectors = await embeddings(host, teacher, sentences);
  await pack(from, to, "");
  const figures = correlation(vectors, await embeddings(host, resolve(values.base), sentences), 20_000);
  const log = shortLog(readFileSync(join(output, "log.jsonl"), "utf8"), { every: 25, folder: work });
  writeFileSync(new URL("base/log.jsonl", import.meta.url), log);
  const bytes = await pack(from, to, card({ sentences: order.length, epochs: Number(values.epochs), figures }));
  console.log(`${values.base}: ${bytes} bytes; Spearman's correlation with the teacher's cosines:`, figures);
}
