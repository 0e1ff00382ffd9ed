/**
 * Runs training steps of Attune on rows of random token ids: JSON lines in, JSON lines out (see README).
 *
 *     node bench/model_steps.ts --model DIR --adapter lora --length 512 [--checkpointing] [--chats]
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { compose } from "../core/spec/compose.ts";
import { measurePeak } from "../core/engine/peak.ts";
import { openRun } from "../core/run/open/open.ts";
import type { Json, Named, Row, RunSpec } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { hostHere } from "../runtimes/host/train.ts";
import { acceleratorsIn, serveSteps } from "./serve_steps.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "" },
    adapter: { type: "string", default: "lora" },
    length: { type: "string", default: "512" },
    rows: { type: "string", default: "64" },
    threads: { type: "string", default: "2" },
    checkpointing: { type: "boolean", default: false },
    // Rows have half to one and a half times the length, and their last two fifths are learned.
    chats: { type: "boolean", default: false },
    // One accelerator as in a spec: its name, or an object.
    accelerators: { type: "string" },
  },
});

const config: Named<Json> = JSON.parse(readFileSync(`${values.model}/config.json`, "utf8"));
const causal = config.model_type === "llama";
const [count, length] = [Number(values.rows), Number(values.length)];

/** Draws the same numbers as model_steps.py, by a linear congruential generator. */
function drawn(): Row[] {
  let state = 12345;
  const next = (): number => {
    state = Number((BigInt(state) * 1103515245n + 12345n) % 2147483648n);
    return Math.floor(state / 65536);
  };
  return Array.from({ length: count }, (_, row) => {
    const size = values.chats ? Math.floor(length / 2) + next() % (length + 1) : length;
    const input_ids = Array.from({ length: size }, () => 10 + next() % (Number(config.vocab_size) - 10));
    if (!causal) return { input_ids, labels: row % 2 };
    const asked = values.chats ? Math.floor(3 * size / 5) : 0;
    return { input_ids, labels: input_ids.map((id, i) => (i < asked ? -100 : id)) };
  });
}

const attention = causal ? ["q_proj", "v_proj"] : ["query", "value"];
const forward = causal ? ["down_proj"] : ["output.dense"];
const lora = { r: 8, loraAlpha: 16, loraDropout: 0, targetModules: attention };
const options: Named<Json> = {
  lora,
  "lora-all": { r: 16, loraAlpha: 32, loraDropout: 0, targetModules: "all-linear" },
  dora: lora,
  ia3: { targetModules: [...attention, ...forward], feedforwardModules: forward },
  adalora: { targetR: 8, initR: 12, totalStep: 1000, targetModules: attention },
  vera: { targetModules: attention },
  "prompt-tuning": { numVirtualTokens: 8 },
  "prefix-tuning": { numVirtualTokens: 8 },
  "p-tuning": { numVirtualTokens: 8 },
};
const rate: Named<Json> = causal ? {} : { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
const rows = { use: "memory", with: { rows: drawn() } } as unknown as Json;
const spec = {
  version: 1,
  name: "bench",
  model: { use: "pretrained", with: { path: values.model, config: rate } },
  task: causal ? "causal-lm" : { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
  data: { train: rows },
  adapter: values.adapter === "full"
    ? []
    : [{ use: values.adapter.replace(/-all$/, ""), with: options[values.adapter] ?? {} }],
  ...acceleratorsIn(values.accelerators),
  training: { maxLength: values.chats ? 2 * length : length, gradientCheckpointing: values.checkpointing },
} as unknown as RunSpec;
const host = await hostHere(Number(values.threads));
await serveSteps(
  await openRun(compose(spec, catalog), host),
  { name: `attune ${values.adapter}${values.checkpointing ? " low memory" : ""}`, learningRate: 1e-4 },
  // The machine's float32 peak in the same minute, for comparison.
  async () => ({ machine: await measurePeak(host) }),
);
