/**
 * Creates `attune:base`: a small English encoder, distilled from a sentence encoder.
 *
 *     npm run distill-base -- --teacher ./all-MiniLM-L6-v2
 *
 * Texts come from packages (recipes/base/texts.ts), without the sentences of the sentiment rows. recipes/base/log.jsonl
 * has every 25th step of the training that created the present base.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createRandom, permutation } from "../core/math/random.ts";
import type { Host, Json, Named } from "../core/types.ts";
import { makeFolderSync } from "../runtimes/host/make_folder.ts";
import { card } from "./base/card.ts";
import { shortLog } from "./base/log.ts";
import { correlation, embeddings } from "./base/measure.ts";
import { pack } from "./base/pack.ts";
import { makeStudent } from "./base/student.ts";
import { essence, texts } from "./base/texts.ts";
import type { Values } from "./options.ts";
import { defineRecipe } from "./recipe.ts";
import { runIfMain } from "./run_if_main.ts";
import { readRows } from "./shared.ts";
import { folderOf, type Workbench } from "./workbench.ts";

const options = {
  teacher: { says: "the sentence encoder", default: "../shared/models/all-MiniLM-L6-v2" },
  work: { says: "folder for texts, student and run", default: "runs/base" },
  vocab: { says: "size of the vocabulary", default: 8192, number: true },
  epochs: { says: "passes over all texts", default: 4, number: true },
  rate: { says: "learning rate", default: 8e-4, number: true },
  rows: { says: "the largest number of texts", number: true },
  steps: { says: "optimizer steps, instead of epochs", default: -1, number: true },
  threads: { says: "threads to compute with", number: true },
  name: { says: "name of the run's folder", default: "distilled" },
  base: { says: "folder to write the base to", default: "plugins/models/base" },
  resume: { says: "continue an interrupted run", flag: true },
} as const;

type BaseSettings = Values<typeof options>;

/** Distills `attune:base`; returns its correlation with the teacher. Needs a machine with files, npm and pip. */
export const distillBase = defineRecipe({
  name: "distill-base",
  summary: "distill attune:base from a sentence encoder",
  options,
  run: async (settings, bench) => {
    const { threads, resume } = settings;
    const [work, teacher] = [resolve(settings.work), resolve(settings.teacher)];
    const host = await bench.host();
    makeFolderSync(work);
    const { all, train, test } = await chooseTexts(bench, work, settings.rows);
    const student = join(work, "student");
    if (!existsSync(join(student, "model.safetensors"))) {
      await makeStudent(host, { texts: all, vocabSize: settings.vocab, teacher, directory: student });
    }
    const output = join(work, settings.name);
    if (!existsSync(join(output, "model/model.safetensors"))) {
      const data = { train: writeTexts(work, "train", train), eval: writeTexts(work, "test", test) };
      const spec = distillation(settings, { work, teacher, student, data });
      await bench.train(spec, { output, resume, ...(threads === undefined ? {} : { threads }) });
    }
    return { correlation: await packBase(bench, host, settings, { work, teacher, output, test, count: train.length }) };
  },
});

/** Returns training sentences, in random order, and held-out ones. Neither contain sentences of the sentiment rows. */
async function chooseTexts(
  bench: Workbench,
  work: string,
  rows: number | undefined,
): Promise<Readonly<{ all: string[]; train: string[]; test: string[] }>> {
  const reviews = await readRows(bench, { use: "reviews", with: { split: "all" } });
  const known = new Set(reviews.map((row) => essence(String(row.text))));
  const sources = texts(join(work, "packages"));
  const fresh = (sentences: readonly string[]): string[] => sentences.filter((s) => !known.has(essence(s)));
  const [snippets, dictionary] = [fresh(sources.reviews), fresh(sources.dictionary)];
  // Snippets resemble reviews, so they count three times. Every 50th sentence is held out for evaluation.
  const isHeld = (_: string, i: number): boolean => i % 50 === 49;
  const test = [...snippets.filter(isHeld), ...dictionary.filter(isHeld)];
  const reviewLike = snippets.filter((s, i) => !isHeld(s, i));
  const rest = dictionary.filter((s, i) => !isHeld(s, i));
  const all = [...reviewLike, ...reviewLike, ...reviewLike, ...rest];
  const order = permutation(createRandom(42).fork("texts"), all.length).subarray(0, rows ?? all.length);
  bench.say(
    `${snippets.length} snippets and ${dictionary.length} glosses; ${order.length} rows train, ${test.length} are held out`,
  );
  return { all, train: [...order].map((i) => all[i] ?? ""), test };
}

function writeTexts(work: string, name: string, sentences: readonly string[]): Named<Json> {
  const path = join(work, `${name}.jsonl`);
  writeFileSync(path, sentences.map((text) => JSON.stringify({ text })).join("\n") + "\n");
  return { use: "jsonl", with: { path } };
}

function distillation(
  { rate, epochs, steps }: BaseSettings,
  { work, teacher, student, data }: Readonly<{ work: string; teacher: string; student: string; data: Named<Json> }>,
): Named<Json> {
  return {
    version: 1,
    name: "base",
    // No regularization, since every target is the teacher's own output.
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
    data,
    optimizer: { use: "adamw", with: { weightDecay: 0.01 } },
    schedule: { use: "linear", with: { warmupSteps: 0.05 } },
    training: {
      learningRate: rate,
      numTrainEpochs: epochs,
      maxSteps: steps,
      perDeviceTrainBatchSize: 64,
      perDeviceEvalBatchSize: 64,
      maxLength: 96,
      evalStrategy: "epoch",
      saveStrategy: "epoch",
      saveTotalLimit: 1,
      loggingSteps: 50,
      seed: 42,
    },
  };
}

/** Packs the trained model as the base, with its card and a short log; returns its correlation with the teacher. */
async function packBase(
  bench: Workbench,
  host: Host,
  { base, epochs }: BaseSettings,
  run: Readonly<{ work: string; teacher: string; output: string; test: readonly string[]; count: number }>,
): Promise<Named<number>> {
  const { work, teacher, output, test, count } = run;
  const [from, to] = [folderOf(host, join(output, "model")), folderOf(host, resolve(base))];
  const sentences = test.slice(0, 2000);
  const vectors = await embeddings(host, teacher, sentences);
  await pack(from, to, "");
  const figures = correlation(vectors, await embeddings(host, resolve(base), sentences), 20_000);
  const log = shortLog(readFileSync(join(output, "log.jsonl"), "utf8"), { every: 25, folder: work });
  writeFileSync(new URL("base/log.jsonl", import.meta.url), log);
  const bytes = await pack(from, to, card({ sentences: count, epochs, figures }));
  bench.say(`${base}: ${bytes} bytes; Spearman's correlation with the teacher's cosines: ${JSON.stringify(figures)}`);
  return figures;
}

await runIfMain(import.meta, distillBase);
