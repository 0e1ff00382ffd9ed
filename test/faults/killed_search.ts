/** A search that is killed again and again, beside one that is not: `node test/faults/killed_search.ts KILLS`. */
import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createRandom } from "../../core/math/random.ts";
import type { Json, Named } from "../../core/types.ts";
import { commands, here, killableRun, started } from "./killed_runs.ts";

const space = {
  "training.learningRate": { type: "float", low: 1e-4, high: 1e-1, log: true },
  "adapter.with.r": { type: "int", low: 1, high: 4 },
  "optimizer.use": { type: "categorical", choices: ["adamw", "lion"] },
};

/** What became of it. `hits`: kills that hit a living process; `lost`: trials that were told to have ended and were gone, or others. */
export type KilledSearch = Readonly<{ hits: number; trials: number; lost: number; pruned: number }>;

/** Kills a search so often, lets it come to its end, and compares its trials and its winner with those of one that was left alone. */
export async function killedSearch(kills: number, seed = 20): Promise<KilledSearch> {
  const trials = Math.max(8, Math.ceil(1.2 * kills));
  const pruner = { use: "median", with: { startupTrials: 2 } };
  const search = { use: "tpe", with: { trials, startupTrials: 4, metric: "loss", pruner, space } };
  const { folder, spec } = killableRun({
    callbacks: [],
    loggers: [],
    search: search as unknown as Json,
    training: { maxSteps: 6, evalSteps: 2, saveSteps: 2, gradientAccumulationSteps: 1, loadBestModelAtEnd: false },
  });
  const linesOf = (output: string): Named<Json>[] =>
    readFileSync(join(output, "search/trials.jsonl"), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line))
      .sort((a, b) => a.number - b.number);
  const args = (output: string): string[] => [
    ...commands[here] ?? [],
    ...["search", spec, "--output", output, "--resume", "--json"],
  ];
  const [whole, parts] = [join(folder, "whole"), join(folder, "parts")];
  const alone = await started(args(whole));
  assert.equal(alone.code, 0, alone.output);
  const [random, values] = [createRandom(seed), new Map<number, Json>()];
  let hits = 0;
  for (let attempt = 0;; attempt++) {
    const after = hits < kills && attempt < 4 * kills ? Math.floor(2 * random.uniform(2 * attempt)) : Infinity;
    let count = 0;
    const ended = await started(args(parts), (line, child) => {
      const event = JSON.parse(line);
      if (event.type === "trial") values.set(event.number, event.value);
      if (count++ === after) setTimeout(() => child.kill("SIGKILL"), 250 * random.uniform(2 * attempt + 1));
    });
    if (ended.signal !== null) {
      hits++;
      continue;
    }
    assert.equal(ended.code, 0, ended.output);
    if (after === Infinity) break;
    // It had come to its end before this process got its turn to kill it: all over again.
    rmSync(parts, { recursive: true });
    values.clear();
  }
  const [due, lines] = [linesOf(whole), linesOf(parts)];
  const lost = [...values].filter(([number, value]) => lines.find((one) => one.number === number)?.value !== value);
  assert.deepEqual(lines, due);
  const weights = "search/best/adapter/adapter_model.safetensors";
  assert.deepEqual(readFileSync(join(parts, weights)), readFileSync(join(whole, weights)));
  const pruned = lines.filter(({ state }) => state === "pruned").length;
  return { hits, trials: lines.length, lost: lost.length, pruned };
}

const [, program = "", count] = process.argv;
if (/killed_search\.[jt]s$/.test(program)) console.log(JSON.stringify(await killedSearch(Number(count ?? 100))));
