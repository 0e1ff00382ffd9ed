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
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createRandom, permutation } from "../core/random.ts";
import type { Row } from "../core/types.ts";
import { hostHere } from "../runtimes/train.ts";
import { type Figure, meanWithInterval } from "./few_shot/figures.ts";
import { methods } from "./few_shot/methods.ts";
import { page } from "./few_shot/page.ts";
import { rowsOf } from "./recipe.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "attune:base" },
    decoder: { type: "string" },
    sizes: { type: "string", default: "8,16,32,64" },
    seeds: { type: "string", default: "3" },
    held: { type: "string", default: "200" },
    output: { type: "string", default: `runs/few-shot-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}` },
  },
});
const sizes = values.sizes.split(",").map(Number);
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);
const shuffled = (rows: readonly Row[], seed: number): Row[] =>
  [...permutation(createRandom(seed).fork("few-shot"), rows.length)].map((i) => rows[i] as Row);
const train = await rowsOf({ use: "reviews", with: { split: "train" } });
const held = shuffled(await rowsOf({ use: "reviews", with: { split: "test" } }), 0).slice(0, Number(values.held));
const drawn = (size: number, seed: number): Row[] => {
  const order = shuffled(train, seed);
  const both = ["negative", "positive"].map((label) => order.filter((row) => row.label === label).slice(0, size / 2));
  return shuffled(both.flat(), seed);
};

const setting = { host: await hostHere(), model: values.model, decoder: values.decoder, held };
const started = performance.now();
const figures: Figure[] = [];
for (const method of methods) {
  if (method.needs === "decoder" && values.decoder === undefined) {
    console.log(`${method.name}: left out, it needs a decoder (--decoder)`);
    continue;
  }
  for (const size of sizes) {
    const accuracies: number[] = [];
    for (const seed of seeds) accuracies.push(await method.run(drawn(size, seed), seed, setting));
    const figure = { method: method.name, size, accuracies, ...meanWithInterval(accuracies) };
    figures.push(figure);
    const range = `${figure.low.toFixed(3)} to ${figure.high.toFixed(3)}`;
    console.log(`${method.name.padEnd(20)} ${String(size).padStart(3)} rows  ${figure.mean.toFixed(3)}  (${range})`);
  }
}
const seconds = (performance.now() - started) / 1000;
mkdirSync(values.output, { recursive: true });
writeFileSync(
  join(values.output, "figures.json"),
  JSON.stringify({ ...values, seconds, figures }, undefined, 1) + "\n",
);
writeFileSync(join(values.output, "report.html"), page({ ...values, held: held.length, figures, seconds }));
console.log(`\n${seconds.toFixed(0)} s\nreport   ${join(values.output, "report.html")}`);
