/**
 * What a few rows are worth: ways to learn from 8, 16, 32 and 64 review sentences, held against full tuning.
 *
 *     npm run few-shot
 *     node recipes/few_shot.ts --model ../shared/models/all-MiniLM-L6-v2 --seeds 5 --decoder ./gpt2
 *
 * For each size as many draws of rows as `--seeds` says, half of either label; all methods get the same draws and are
 * measured on the same held-out rows. Intervals are Student's t over the draws, 95 %. `--decoder` adds in-context
 * learning, for which an encoder will not do. An encoder without a masked-language head of its own (attune:base and
 * MiniLM have none) is prompted with its word embeddings in that head's place: state · embedding, without a bias.
 * @module
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { badValue } from "../core/errors.ts";
import { createRandom, permutation } from "../core/random.ts";
import type { Json, Named, Row } from "../core/types.ts";
import { hostHere } from "../runtimes/host/train.ts";
import { type Figure, meanWithInterval } from "./few_shot/figures.ts";
import { drawsIn } from "./few_shot/draws.ts";
import { methods } from "./few_shot/methods.ts";
import { renderPage } from "./few_shot/page.ts";
import { common, valuesOf } from "./options.ts";
import { columnsOf, readRows, resolveData } from "./recipe.ts";

const { model, data, columns, config, output, resume } = common;
const own = {
  decoder: { says: "a model for in-context learning, which is left out without one" },
  sizes: { says: "numbers of rows to learn from", default: "8,16,32,64" },
  seeds: { says: "draws of rows for each number", default: "3", number: true },
  held: { says: "rows to measure on", default: "200", number: true },
} as const;
const values = valuesOf("few-shot", "what a few rows are worth", {
  model,
  data,
  columns,
  config,
  "train-split": common["train-split"],
  "eval-split": common["eval-split"],
  ...own,
  output,
  resume,
});
const sizes = values.sizes.split(",").map(Number);
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);
const shuffled = (rows: readonly Row[], seed: number): Row[] =>
  [...permutation(createRandom(seed).fork("few-shot"), rows.length)].map((i) => rows[i] as Row);
const rows = resolveData(values, {
  train: { use: "reviews", with: { split: "train" } },
  eval: { use: "reviews", with: { split: "test" } },
});
const { text = "text", label = "label" } = columnsOf(values);
const reviews = async (part: Named<Json>): Promise<Row[]> =>
  (await readRows(part)).map((row) => {
    const found = { text: row[text], label: row[label] };
    if (found.label === "negative" || found.label === "positive") return found as Row;
    throw badValue(
      "recipe",
      `--data: column ${label}`,
      found.label,
      '"negative" or "positive", as the prompts are made for',
    );
  });
const train = await reviews(rows.train);
const held = shuffled(await reviews(rows.eval), 0).slice(0, Number(values.held));
const drawn = (size: number, seed: number): Row[] => {
  const order = shuffled(train, seed);
  const both = ["negative", "positive"].map((label) => order.filter((row) => row.label === label).slice(0, size / 2));
  return shuffled(both.flat(), seed);
};

const setting = { host: await hostHere(), model: values.model, decoder: values.decoder, held };
const started = performance.now();
const { sizes: _sizes, seeds: _seeds, output: _output, resume: _resume, ...same } = values;
const draws = drawsIn(values.output, same, values.resume);
const figures: Figure[] = [];
for (const method of methods) {
  if (method.needs === "decoder" && values.decoder === undefined) {
    console.log(`${method.name}: left out, it needs a decoder (--decoder)`);
    continue;
  }
  for (const size of sizes) {
    const accuracies: number[] = [];
    for (const seed of seeds) {
      accuracies.push(
        await draws.once(`${method.name} ${size} ${seed}`, () => method.run(drawn(size, seed), seed, setting)),
      );
    }
    const figure = { method: method.name, size, accuracies, ...meanWithInterval(accuracies) };
    figures.push(figure);
    const range = `${figure.low.toFixed(3)} to ${figure.high.toFixed(3)}`;
    console.log(`${method.name.padEnd(20)} ${String(size).padStart(3)} rows  ${figure.mean.toFixed(3)}  (${range})`);
  }
}
const seconds = (performance.now() - started) / 1000;
writeFileSync(
  join(values.output, "figures.json"),
  JSON.stringify({ ...values, seconds, figures }, undefined, 1) + "\n",
);
writeFileSync(join(values.output, "report.html"), renderPage({ ...values, held: held.length, figures, seconds }));
console.log(`\n${seconds.toFixed(0)} s\nreport   ${join(values.output, "report.html")}`);
