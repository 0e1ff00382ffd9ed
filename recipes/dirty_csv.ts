/**
 * Trains a good model from a dirty CSV file: shows what transforms do to its rows, and the accuracy without and with
 * them.
 *
 *     npm run dirty-csv
 *     node recipes/dirty_csv.ts --model ./all-MiniLM-L6-v2 --adapter lora
 *
 * The file is made from labelled review sentences, so its dirt is known; the output has it as `data/train.csv`.
 */
import type { Json, Named } from "../core/types.ts";
import { common } from "./options.ts";
import { defineRecipe } from "./recipe.ts";
import { runIfMain } from "./run_if_main.ts";
import { csvOf, dirtyColumns, dirtyReviews, spellings } from "./rows/dirty_reviews.ts";
import {
  inferLabels,
  pathIn,
  readRows,
  resolveData,
  reviews,
  showScores,
  trainingArguments,
  trainRecipe,
} from "./shared.ts";
import { folderOf, type Metrics, type Workbench } from "./workbench.ts";

const { model, adapter, rows, epochs, steps, rate, batch, maxLength, seed, output, resume } = common;

/** Trains on dirty rows unchanged, with one spelling per class, and fully prepared; returns accuracies on test rows. */
export const dirtyCsv = defineRecipe({
  name: "dirty-csv",
  summary: "clean a dirty CSV file with transforms, and train on it",
  options: { model, adapter, rows, epochs, steps, rate, batch, maxLength, seed, output, resume },
  run: async (settings, bench) => {
    const resolved = await resolveData(bench, settings, reviews, 2400, 600);
    const dirty = dirtyReviews(
      await readRows(bench, resolved.train),
      await readRows(bench, resolved.eval),
      settings.seed,
    );
    const folder = pathIn(settings.output, "data");
    const train = await writeCsv(bench, folder, "train.csv", csvOf(dirty.train));
    const test = await writeCsv(bench, folder, "test.csv", csvOf(dirty.test));

    const run = async (name: string, says: string, labels: Named<Json>, data: Named<Json>): Promise<Metrics> => {
      bench.say(`\n${says}:`);
      return await trainRecipe(
        bench,
        {
          name,
          model: { use: "pretrained", with: { path: settings.model } },
          task: { use: "sequence-classification", with: labels },
          // Some test rows are also in train; this recipe wants to show that instead of refusing the run.
          data: { ...data, leakThreshold: 1 },
          adapter: settings.adapter === undefined ? [] : [settings.adapter],
          metrics: ["accuracy", { use: "by-group", with: { metric: "accuracy", column: "seen", minCount: 1 } }],
          training: trainingArguments(settings, {
            learningRate: 2e-4,
            numTrainEpochs: 2,
            maxLength: 128,
            evalStrategy: "no",
          }),
        },
        settings,
        name,
      );
    };
    const asTheyAre = await run(
      "as-they-are",
      "The rows as they are",
      { ...inferLabels([...dirty.train, ...dirty.test], dirtyColumns.label), columns: { ...dirtyColumns } },
      { train, test },
    );
    const labels = { labels: Object.keys(spellings).sort() };
    const testMapped = { ...test, transforms: [names] };
    const oneSpelling = await run(
      "one-spelling",
      "One spelling of each class",
      labels,
      { train: { ...train, transforms: [names, ...oneSpellingEach] }, test: testMapped },
    );
    const prepared = await run(
      "prepared",
      "All that the rows need",
      labels,
      { train: { ...train, transforms: [names, ...oneSpellingEach, ...preparation] }, test: testMapped },
    );
    const of = (pick: (metrics: Metrics) => number): Named<number> => ({
      "prepared": pick(prepared),
      "one spelling of each class": pick(oneSpelling),
      "as they are": pick(asTheyAre),
    });
    bench.say("");
    return showScores(bench, {
      "accuracy of test rows": of(({ accuracy = NaN }) => accuracy),
      "accuracy of those that are not in train": of(unseenAccuracy),
    });
  },
});

/** The task's names for the columns. */
const names: Json = { use: "map-columns", with: { columns: dirtyColumns, keep: true } };

/** One spelling of each class. */
const oneSpellingEach: readonly Json[] = [{
  use: "clean",
  with: {
    columns: ["label"],
    lowercase: true,
    replace: [["^ *(pos|\\+)(itive)? *$", "positive"], ["^ *(neg|-)(ative)? *$", "negative"]],
  },
}];

/** All other preparation. */
const preparation: readonly Json[] = [
  { use: "clean", with: { missing: "drop" } },
  { use: "filter", with: { minLength: 5 } },
  "redact",
  { use: "dedupe", with: { near: true } },
  "decontaminate",
  { use: "balance", with: { method: "weights" } },
];

/** Returns the accuracy on test rows that are not in train, from the metric by group. */
function unseenAccuracy(metrics: Metrics): number {
  const groups = Object(metrics.accuracy_by_seen) as Named<Readonly<{ value: number | null }>>;
  return groups.no?.value ?? NaN;
}

async function writeCsv(bench: Workbench, folder: string, name: string, text: string): Promise<Named<Json>> {
  const host = await bench.host();
  await folderOf(host, folder).put(name, new TextEncoder().encode(text));
  const path = pathIn(folder, name);
  return { use: "csv", with: { path: host.resolve?.(path) ?? path } };
}

await runIfMain(import.meta, dirtyCsv);
