/**
 * Finds options that suit a task: trials are judged on held-out rows; the winner and the default options are compared
 * on test rows that no trial used; and cross-validation shows how much results vary between folds.
 *
 *     npm run tune
 *     node recipes/tune.ts --model ./all-MiniLM-L6-v2 --data rows.csv --trials 30
 *
 * Without `--data`: a few hundred review sentences, so that it takes a minute or two.
 */
import { AttuneError } from "../core/base/errors.ts";
import { trialSpec } from "../core/spec/search_space.ts";
import type { Json, Named } from "../core/types.ts";
import { columnsOf, common } from "./options.ts";
import { defineRecipe } from "./recipe.ts";
import { runIfMain } from "./run_if_main.ts";
import {
  inferLabels,
  pathIn,
  readAll,
  reported,
  resolveData,
  reviews,
  showScores,
  trainingArguments,
} from "./shared.ts";

/** Searches options of LoRA, learning rate and optimizer; returns test accuracies of the winner and of the defaults. */
export const tune = defineRecipe({
  name: "tune",
  summary: "find good options with a search, folds and test rows",
  options: {
    ...common,
    trials: { says: "number of trials", default: 10, number: true },
    folds: { says: "folds to cross-validate the winner", default: 3, number: true },
  },
  run: async (settings, bench) => {
    const { model, adapter = "lora", output, resume, trials, folds, seed } = settings;
    if (!bench.search || !bench.crossvalidate) {
      throw new AttuneError("A search makes many runs, so it needs a workbench with files", {
        code: "UNSUPPORTED",
        plugin: "recipe",
      });
    }
    const data = await resolveData(bench, settings, reviews, 480, 400);
    const columns = columnsOf(settings);
    const label = String(columns.label ?? "label");
    const split = (part: string): Named<Json> => ({
      use: "split",
      with: { source: data.train, part, testSize: 0.25, seed },
    });
    const rows = await readAll(bench, data);
    const spec = {
      version: 1,
      name: "tune",
      model: { use: "pretrained", with: { path: model } },
      task: { use: "sequence-classification", with: { ...inferLabels(rows, label), columns } },
      data: { train: split("train"), eval: split("test"), test: reported(data) },
      adapter: { use: adapter },
      metrics: ["accuracy"],
      training: trainingArguments(settings, {
        numTrainEpochs: 2,
        maxLength: 64,
        evalStrategy: "steps",
        evalSteps: 0.25,
      }),
    };
    const space: Named<Json> = {
      "training.learningRate": { type: "float", low: 1e-4, high: 2e-2, log: true },
      "optimizer.use": { type: "categorical", choices: ["adamw", "lion"] },
      ...(adapter === "lora" ? { "adapter.with.r": { type: "int", low: 2, high: 32, log: true } } : {}),
    };
    const search = {
      use: "tpe",
      with: { trials, startupTrials: Math.min(10, Math.ceil(trials / 2)), metric: "accuracy", pruner: "median", space },
    };
    const at = (name: string) => ({ output: pathIn(output, name), resume });
    bench.say("The search:");
    const { metrics, usual, params } = await bench.search({ ...spec, search }, at("tuned"));
    bench.say("\nThe winner, over folds of the rows that it was trained and judged on:");
    const chosen = trialSpec({ ...spec, data: { train: data.train } }, params);
    const folded = await bench.crossvalidate(
      { ...chosen, training: { ...spec.training, ...chosen.training as Named<Json>, evalStrategy: "no" } },
      { ...at("folds"), folds, stratify: label },
    );
    bench.say("");
    return showScores(bench, {
      "accuracy of test rows": { "the winner": metrics.accuracy ?? NaN, "default options": usual.accuracy ?? NaN },
      "accuracy over folds": {
        "the winner": folded.accuracy?.mean ?? NaN,
        "its interval from": folded.accuracy?.interval[0] ?? NaN,
        "its interval to": folded.accuracy?.interval[1] ?? NaN,
      },
    });
  },
});

await runIfMain(import.meta, tune);
