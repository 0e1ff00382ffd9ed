/**
 * Every plugin of this package of the kinds whose own tests are of figures passes the checks of its kind.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { checksOf, memoryStore } from "../../conformance/mod.ts";
import type { Catalog, Json, Kind, Kinds, Named, Row } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { itPasses, itPassesSome } from "../checks.ts";
import { tinyConfig, tinyFiles, tinyHost, tinyRows, tinySpec } from "../tiny.ts";
import { families, noDropout, tinyModel } from "./families.ts";
import { sentinels, tasks } from "./model_tasks.ts";

const host = tinyHost(await hostHere(1), { "tokenizer.json": sentinels });
const make = <K extends Kind>(kind: K, use: string, options: object = {}): Kinds[K] & { readonly kind: K } => {
  const parsed = (catalog as Catalog)[kind]?.[use]?.parse(options);
  if (!parsed || parsed.issues) throw new Error(`No ${kind} "${use}" with ${JSON.stringify(options)}`);
  return parsed.value as Kinds[K] & { readonly kind: K };
};
const { model, task, data } = tinySpec({ dropout: 0.1 });
const base = { model, task, data, tokenizer: "hf", optimizer: "adamw", schedule: "linear" };
type FiguresOf<K extends Kind> = NonNullable<Parameters<typeof checksOf<K>>[1]>;

/** What is looked at of each kind, by name. */
const seen: Record<string, Set<string>> = {};
function passes<K extends Kind>(kind: K, use: string, options: object, figures: object): void {
  (seen[kind] ??= new Set()).add(use);
  const own = { host, catalog, base, ...figures } as unknown as FiguresOf<K>;
  const isComputed = ["regularizer", "collator", "head", "task"].includes(kind);
  (isComputed ? itPassesSome : itPasses)(`${kind} ${use}`, checksOf<K>(make(kind, use, options), own));
}

passes("regularizer", "l2-sp", { alpha: 0.5, beta: 0.1 }, { off: make("regularizer", "l2-sp", { alpha: 0, beta: 0 }) });
const few = make("data", "memory", { rows: tinyRows.slice(0, 4) });
passes("regularizer", "ewc", { lambda: 10, data: few }, { off: make("regularizer", "ewc", { lambda: 0, data: few }) });
passes("regularizer", "mixout", { p: 0.5 }, { off: make("regularizer", "mixout", { p: 0 }) });
// Noise takes numbers of its own, and moves the dropout's.
passes("regularizer", "neftune", { noiseAlpha: 5 }, {
  base: { ...base, model: tinySpec().model },
  off: make("regularizer", "neftune", { noiseAlpha: 0 }),
});
// Without a distance its loss is still that of two passes.
passes("regularizer", "r-drop", { alpha: 1 }, {});
const grouped = tinyRows.map((row, i) => ({ ...row, group: i % 3 === 0 ? "a" : "b" }));
const use = (rows: readonly Row[]) => ({ use: "memory", with: { rows: rows as unknown as Json } });
passes("regularizer", "adversarial-debiasing", { column: "group", labels: ["a", "b"], lambda: 0.5 }, {
  base: { ...base, data: { train: use(grouped), eval: use(grouped) } },
  // Its gradient is turned round on its way into the model.
  smooth: false,
});

passes("exporter", "hf", {}, {});
passes("exporter", "peft", {}, { runs: [{ adapter: [{ use: "lora", with: { r: 2 } }] }] });
passes("trainer", "ort", {}, {});

const folder = (files: Named<Uint8Array>) => ({ folder: { at: "conformance:there", files } });
passes("model", "pretrained", { path: "conformance:there" }, folder(tinyFiles()));
passes("model", "random", { config: tinyConfig, tokenizer: "tiny:model" }, {});

const text = "the film was very good and the food was not bad";
passes("tokenizer", "hf", {}, { files: memoryStore(tinyFiles()), text });

const labels = ["bad", "good"];
const tokenizer = await make("tokenizer", "hf").open(memoryStore({ ...tinyFiles(), "tokenizer.json": sentinels }));
const rowsOf = (name: string): readonly Row[] => tasks[name]?.rows ?? [];
const ready = [{ input_ids: [2, 5, 7, 10, 3] }, { input_ids: [2, 6, 3] }];
passes("collator", "padding", { labels }, { rows: tinyRows, ready, classes: 2 });
passes("collator", "token-labels", { labels: ["a", "b"] }, { rows: rowsOf("token-classification"), ready, classes: 2 });
passes("collator", "question-answering", {}, { rows: rowsOf("question-answering") });
passes("collator", "multiple-choice", {}, { rows: rowsOf("multiple-choice"), classes: 2 });
passes("collator", "masked-lm", { mlmProbability: 0.5 }, { rows: rowsOf("masked-lm"), ready });
passes("collator", "causal-lm", {}, { rows: [{ text: "the film was good ." }], ready });
passes("collator", "permutation-lm", {}, { rows: rowsOf("permutation-lm") });
passes("collator", "pretraining", {}, { rows: rowsOf("pretraining") });
passes("collator", "seq2seq", {}, { rows: rowsOf("seq2seq-lm").slice(0, 2), decoderStart: 2 });
passes("collator", "denoising", { noiseDensity: 0.5, meanNoiseSpanLength: 1 }, {
  rows: rowsOf("denoising"),
  decoderStart: 2,
  tokenizer,
});
passes("collator", "ctc", { labels: ["a", "b"] }, { rows: rowsOf("ctc"), ready });
passes("collator", "sentence-pairs", {}, { rows: rowsOf("sentence-similarity") });
const prompt = {
  template: "{text} is {mask} .",
  verbalizer: { bad: ["bad"], good: ["good"] },
};
passes("collator", "prompt", prompt, { rows: tinyRows.slice(0, 3), classes: 2, tokenizer });

const modelOf = (family: string): Json => tinyModel(families[family] ?? { config: {}, task: null });
const [bert, gpt2, bart, xlnet] = ["bert", "gpt2", "bart", "xlnet"].map(modelOf);
const collator = { use: "padding", with: { labels } };
const both = { models: [bert, gpt2], collator };
const dataOf = (rows: readonly Row[]): Named<unknown> => ({ train: use(rows), eval: use(rows) });
const pairs = dataOf(tinyRows.slice(0, 4).map((row, i) => ({ text: row.text, textPair: "a nice film", score: i / 4 })));
const choices = dataOf(Array.from({ length: 4 }, () => rowsOf("multiple-choice")[0] ?? {}));
const sources = dataOf(rowsOf("seq2seq-lm"));
passes("head", "sequence", { numLabels: 3 }, both);
passes("head", "token", { numLabels: 3 }, both);
passes("head", "span", {}, { models: [bert], collator });
passes("head", "mlm", {}, { models: [bert], collator });
passes("head", "lm", {}, { models: [gpt2], collator });
passes("head", "next-sentence", {}, { models: [bert], collator });
passes("head", "pooled", { numLabels: 2 }, { models: [bert], collator });
passes("head", "embedding", {}, { models: [bert], collator });
passes("head", "similarity", {}, {
  models: [bert],
  collator: { use: "sentence-pairs" },
  base: { ...base, data: pairs },
});
passes("head", "choice", {}, {
  models: [bert],
  collator: { use: "multiple-choice" },
  base: { ...base, data: choices },
});
passes("head", "seq2seq", {}, { models: [bart], collator: { use: "seq2seq" }, base: { ...base, data: sources } });
passes("head", "permutation-lm", {}, { models: [xlnet], collator: { use: "permutation-lm" } });
passes("head", "ctc", { numLabels: 3 }, { models: [bert], collator });
passes("head", "verbalizer", { words: [1, 1] }, {
  models: [bert],
  collator: { use: "prompt", with: prompt },
});

// One row for several predictions, or none for any.
const predictsOtherwise = ["pretraining", "permutation-lm"];
const familyOf = (name: string): string => {
  if (name === "causal-lm") return "gpt2";
  if (name === "permutation-lm") return "xlnet";
  return ["seq2seq-lm", "span-corruption", "denoising"].includes(name) ? "bart" : "bert";
};
for (const [name, { task, rows }] of Object.entries(tasks)) {
  const options = typeof task === "string" ? {} : (task as { with?: object }).with ?? {};
  const { config = {}, task: own = null } = families[familyOf(name)] ?? {};
  passes("task", name, options, {
    rows,
    model: tinyModel({ config: { ...config, ...noDropout, vocab_size: 32 }, task: own }),
    predicts: !predictsOtherwise.includes(name),
    training: { learningRate: 0.005, maxSteps: 20, trainSamplingStrategy: "sequential" },
  });
}
passes("task", "prompt-classification", prompt, {
  rows: tinyRows.slice(0, 6),
  model,
  training: { learningRate: 0.005 },
});
passes("task", "feature-extraction", {}, { rows: tinyRows.slice(0, 4), model });

it("leaves out no plugin of these kinds but those that others make up", () => {
  const without: Named<readonly string[]> = {
    // Text of the library transformers.js, which tests may lack.
    tokenizer: ["transformers"],
    // Its outputs are compared with a teacher's.
    head: ["hidden-states"],
    task: ["distillation", "multi-task"],
  };
  for (const [kind, names] of Object.entries(seen)) {
    const all = Object.keys((catalog as Catalog)[kind as Kind] ?? {}).filter((name) => !without[kind]?.includes(name));
    assert.deepEqual([...names].sort(), all.sort(), kind);
  }
});
