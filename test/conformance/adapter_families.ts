/** An adapter on tiny models of every family: that it trains there, comes back from its files and merges. */
import assert from "node:assert/strict";
import { compose } from "../../core/spec/compose.ts";
import { AttuneError } from "../../core/base/errors.ts";
import { layOut } from "../../core/loop/layout.ts";
import { openAdapterPool } from "../../core/inference/adapter_pool.ts";
import { encodeAll } from "../../core/run/rows/data.ts";
import { evaluateRun } from "../../core/run/evaluate/evaluate.ts";
import { openRun } from "../../core/run/open/open.ts";
import { trainRun } from "../../core/run/train/train.ts";
import type { Json, Named, RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { memory as rowsOf } from "../../plugins/data/memory.ts";
import { memory } from "../../plugins/stores/memory.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { tinyHost } from "../tiny.ts";
import { classes, families, made, noDropout, placed, rows, specWith } from "./families.ts";

/** What came of an adapter on a family: how far apart losses were, or why it is refused there. */
export type Outcome = Readonly<
  | { refused: string }
  | { learnt: number; reloaded: number | undefined; merged: number | undefined }
>;

/** Trains a few steps, loads what was saved, and merges; differences are absolute ones of the loss and of logits. */
export async function onFamily(use: Readonly<{ use: string; with?: Named<Json> }>, family: string): Promise<Outcome> {
  const { task } = families[family] ?? { task: classes };
  const model = await made(family);
  const plain = placed(tinyHost(await hostHere(1)), "tiny:base", model, "model/");
  const specOf = (adapter: readonly Json[]): RunSpec =>
    specWith({ use: "pretrained", with: { path: "tiny:base", config: noDropout } }, task, adapter, 0.02);
  const output = await memory().open(plain);
  const losses: number[] = [];
  try {
    for await (const event of trainRun(compose(specOf([use]), catalog), plain, { output })) {
      if (event.type === "evaluate") losses.push(event.metrics.loss ?? NaN);
    }
  } catch (error) {
    if (error instanceof AttuneError && ["UNSUPPORTED", "MISSING", "NO_MATCH"].includes(error.code)) {
      return { refused: error.message };
    }
    throw error;
  }
  const [before = NaN, after = NaN] = [losses[0], losses.at(-1)];
  const learnt = before - after;
  if (!await output.get("adapter/adapter_config.json")) return { learnt, reloaded: undefined, merged: undefined };
  const host = placed(plain, "tiny:adapter", output, "adapter/");
  const saved = { use: use.use, with: { from: "tiny:adapter" } };
  const open = await openRun(compose(specOf([saved]), catalog), host);
  const reloaded = Math.abs((await evaluateRun(open, rowsOf({ rows }))).loss ?? NaN) - after;
  const [attached] = open.attached;
  // What is nowhere in the graph is the model's own parameters, which merging puts in their place.
  const mergeable = attached?.merge ??
    !["linear", "embedding", "attention", "sublayer", "layer"].some((seam) => attached && seam in attached);
  if (!mergeable) return { learnt, reloaded: Math.abs(reloaded), merged: undefined };
  const set = await openAdapterPool(compose(specOf([]), catalog), host);
  try {
    await set.add("one", saved);
    const samples = await encodeAll(open, rowsOf({ rows }), true);
    const logits = async (stack: readonly string[]): Promise<Float32Array> =>
      (await set.run(layOut(samples, set.layout(stack)), stack)).outputs.logits?.data ?? new Float32Array();
    const apart = await logits(["one"]);
    await set.merge("one");
    const merged = await logits([]);
    const most = apart.reduce((worst, x, i) => Math.max(worst, Math.abs(x - (merged[i] ?? NaN))), 0);
    return { learnt, reloaded: Math.abs(reloaded), merged: apart.length === merged.length ? most : NaN };
  } finally {
    await set.close();
  }
}

/** One configuration of each adapter, which fits every family. */
export const members: readonly Readonly<{ use: string; with?: Named<Json> }>[] = [
  { use: "lora", with: { r: 2 } },
  { use: "dora", with: { r: 2 } },
  { use: "adalora", with: { initR: 3, targetR: 1, tinit: 1, tfinal: 1 } },
  { use: "ia3" },
  { use: "vera", with: { r: 4 } },
  { use: "ln-tuning" },
  { use: "prompt-tuning", with: { numVirtualTokens: 2 } },
  { use: "p-tuning", with: { numVirtualTokens: 2 } },
  { use: "prefix-tuning", with: { numVirtualTokens: 2 } },
  { use: "houlsby", with: { reductionFactor: 4 } },
  { use: "pfeiffer", with: { reductionFactor: 4 } },
  { use: "parallel", with: { reductionFactor: 4 } },
  { use: "reft", with: { r: 2, dropout: 0 } },
  { use: "bitfit" },
  { use: "freeze", with: { trainLastLayers: 1 } },
  { use: "full" },
];

/** The least that must hold where an adapter is not refused: it learns, comes back as it was, and merges as it computes. */
export function assertOutcome(outcome: Outcome, name: string): void {
  if ("refused" in outcome) return;
  const { learnt, reloaded = 0, merged = 0 } = outcome;
  assert.ok(Number.isFinite(learnt) && learnt !== 0, `${name} learns: ${learnt}`);
  assert.ok(reloaded < 1e-5, `${name} comes back: ${reloaded}`);
  assert.ok(merged < 2e-5, `${name} merges: ${merged}`);
}

/** Families whose layers or code leave an adapter no place, and those that no library names default modules for. */
export const refusals: Named<readonly string[]> = {
  lora: ["xlnet"],
  dora: ["xlnet"],
  adalora: ["xlnet"],
  vera: ["xlnet"],
  ia3: ["modernbert", "xlnet", "phi3"],
  "ln-tuning": ["modernbert", "xlnet", "phi3"],
  "prefix-tuning": ["mpnet", "deberta-v2", "albert", "xlnet"],
  // Families without a bias.
  bitfit: ["llama", "mistral", "qwen3", "gemma2", "gemma3", "phi3", "smollm3", "olmo2", "granite", "t5", "mt5"],
};
