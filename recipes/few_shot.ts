/**
 * Few-shot learning: compares ways to learn from 8, 16, 32 and 64 review sentences with full fine-tuning.
 *
 *     npm run few-shot
 *     node recipes/few_shot.ts --model ../shared/models/all-MiniLM-L6-v2 --seeds 5 --decoder ./gpt2
 *
 * For each size, rows are drawn `--seeds` times, half of each label; all methods get the same draws and are evaluated
 * on the same held-out rows. Intervals are 95 % by Student's t over the draws. `--decoder` adds in-context learning,
 * which needs a decoder. For prompting, an encoder without its own masked-language head (such as attune:base and
 * MiniLM) uses its word embeddings instead: state · embedding, without a bias.
 */
import { badValue } from "../core/base/errors.ts";
import { createRandom, permutation } from "../core/math/random.ts";
import type { Json, Named, Row } from "../core/types.ts";
import { openDraws } from "./few_shot/draws.ts";
import { type Figure, meanWithInterval } from "./few_shot/figures.ts";
import { methods } from "./few_shot/methods.ts";
import { renderPage } from "./few_shot/page.ts";
import { columnsOf, common } from "./options.ts";
import { defineRecipe } from "./recipe.ts";
import { runIfMain } from "./run_if_main.ts";
import { pathIn, readRows, reported, resolveData, reviews } from "./shared.ts";
import { folderOf, type Workbench } from "./workbench.ts";

const { model, data, columns, config, trainSplit, evalSplit, output, resume } = common;

/** Compares ways to learn from a few rows; returns the mean accuracy of each by number of rows. */
export const fewShot = defineRecipe({
  name: "few-shot",
  summary: "learn from a few labelled rows in several ways",
  options: {
    model,
    data,
    columns,
    config,
    trainSplit,
    evalSplit,
    decoder: { says: "a decoder for in-context learning, which is skipped without one" },
    sizes: { says: "numbers of training rows", default: "8,16,32,64" },
    seeds: { says: "random draws per number", default: 3, number: true },
    held: { says: "rows to evaluate on", default: 200, number: true },
    output,
    resume,
  },
  run: async (settings, bench) => {
    const { sizes, seeds, output, resume, ...same } = settings;
    const { model, decoder } = settings;
    // The held-out rows are used only at the end of each method.
    const rows = await resolveData(bench, settings, reviews);
    const { text = "text", label = "label" } = columnsOf(settings);
    const train = await readReviews(bench, rows.train, text, label);
    const evaluationRows = shuffle(await readReviews(bench, reported(rows), text, label), 0).slice(0, settings.held);
    const [host, catalog] = [await bench.host(), await bench.catalog()];
    const folder = folderOf(host, output);
    const draws = await openDraws(folder, output, same, resume);
    const started = performance.now();
    const figures: Figure[] = [];
    for (const method of methods) {
      if (method.needs === "decoder" && decoder === undefined) {
        bench.say(`${method.name}: left out, it needs a decoder (--decoder)`);
        continue;
      }
      for (const size of sizes.split(",").map(Number)) {
        const accuracies: number[] = [];
        for (let seed = 1; seed <= seeds; seed++) {
          const run = () =>
            method.run(drawRows(train, size, seed), seed, { host, catalog, model, decoder, held: evaluationRows });
          accuracies.push(await draws.once(`${method.name} ${size} ${seed}`, run));
        }
        const figure = { method: method.name, size, accuracies, ...meanWithInterval(accuracies) };
        figures.push(figure);
        const range = `${figure.low.toFixed(3)} to ${figure.high.toFixed(3)}`;
        bench.say(`${method.name.padEnd(20)} ${String(size).padStart(3)} rows  ${figure.mean.toFixed(3)}  (${range})`);
      }
    }
    const seconds = (performance.now() - started) / 1000;
    const write = async (name: string, text: string): Promise<void> => {
      await folder.put(name, new TextEncoder().encode(text));
    };
    await write("figures.json", JSON.stringify({ ...settings, seconds, figures }, undefined, 1) + "\n");
    await write("report.html", renderPage({ ...settings, held: evaluationRows.length, figures, seconds }));
    bench.say(`\n${seconds.toFixed(0)} s\nreport   ${pathIn(output, "report.html")}`);
    const scores: Record<string, Record<string, number>> = {};
    for (const { method, size, mean } of figures) (scores[`accuracy: ${size} rows`] ??= {})[method] = mean;
    return scores;
  },
});

/** Returns review rows with the column names that the prompts use. */
async function readReviews(bench: Workbench, part: Named<Json>, text: string, label: string): Promise<Row[]> {
  return (await readRows(bench, part)).map((row): Row => {
    const value = row[label];
    if (value === "negative" || value === "positive") return { text: row[text] ?? "", label: value };
    throw badValue("recipe", `--data: column ${label}`, value, '"negative" or "positive", which the prompts expect');
  });
}

/** Draws `size` rows, half of each label. */
function drawRows(rows: readonly Row[], size: number, seed: number): Row[] {
  const order = shuffle(rows, seed);
  const both = ["negative", "positive"].map((label) => order.filter((row) => row.label === label).slice(0, size / 2));
  return shuffle(both.flat(), seed);
}

function shuffle(rows: readonly Row[], seed: number): Row[] {
  return [...permutation(createRandom(seed).fork("few-shot"), rows.length)].map((i) => rows[i] as Row);
}

await runIfMain(import.meta, fewShot);
