/**
 * LoRA on a decoder that learns to answer in conversations; only what the assistant says is learned.
 *
 *     npm run chat-lora
 *     node recipes/chat_lora.ts --model Qwen/Qwen2.5-0.5B-Instruct --data chats.jsonl
 *
 * Rows have `messages`. Without `--data` these are questions about labelled review sentences (npm's sentiment), answered
 * with their labels. Without `--model` a Llama of two layers, whose word vectors are those of `attune:base` and whose layers
 * begin at random (recipes/starter.ts), first learns to go on with the review sentences themselves: that is the base that
 * LoRA adapts. Beside the score: the same base without LoRA, and the most frequent answer.
 * @module
 */
import { join } from "node:path";
import type { Row } from "../core/types.ts";
import { hostHere } from "../runtimes/host/train.ts";
import {
  columnsOf,
  evaluateRecipe,
  mostFrequent,
  parseSettings,
  printScores,
  readRows,
  resolveData,
  trainingArguments,
  trainRecipe,
  writeRows,
} from "./recipe.ts";
import { starterDecoder } from "./starter.ts";

const settings = parseSettings("chat-lora", "LoRA on a decoder that learns to answer in conversations", {
  r: { says: "LoRA's rank", default: "16", number: true },
  "max-new-tokens": { says: "tokens of the longest answer", number: true },
});
const columns = columnsOf(settings);
const { messages = "messages" } = columns;
const own = settings.data === undefined;
const reviews = (split: string) => ({ use: "reviews", with: { split } });
const asked = ({ text, label }: Row): Row => ({
  messages: [
    { role: "user", content: `${text} Is this positive or negative?` },
    { role: "assistant", content: String(label) },
  ],
});
const made = own && {
  train: writeRows(settings, "train", (await readRows(reviews("train"))).map(asked)),
  eval: writeRows(settings, "eval", (await readRows(reviews("test"))).map(asked)),
};
const data = resolveData(settings, made || { train: {}, eval: {} });
const training = trainingArguments(settings, {
  learningRate: 2e-3,
  numTrainEpochs: 2,
  maxLength: own ? 96 : 512,
  perDeviceEvalBatchSize: 32,
  evalStrategy: "no",
});

async function starter(): Promise<string> {
  console.log("No --model: a Llama of two layers first learns to go on with the review sentences.\n");
  await trainRecipe(
    {
      name: "starter",
      model: {
        use: "pretrained",
        with: { path: await starterDecoder(await hostHere(), join(settings.output, "start")) },
      },
      task: "causal-lm",
      data: resolveData({ ...settings, data: undefined }, { train: reviews("train"), eval: reviews("test") }),
      training: { ...training, learningRate: 1e-3, numTrainEpochs: 2, maxLength: 64 },
    },
    settings,
    "base",
  );
  return join(settings.output, "base", "model");
}

const chat = {
  name: "chat-lora",
  model: { use: "pretrained", with: { path: settings.model === "attune:base" ? await starter() : settings.model } },
  task: {
    use: "causal-lm",
    with: {
      lossOn: "assistant",
      columns,
      generation: { maxNewTokens: Number(settings["max-new-tokens"] ?? (own ? 4 : 128)) },
    },
  },
  data,
  metrics: [own ? "exact-match" : "rouge", "perplexity"],
  training,
};
const name = own ? "exact-match" : "rougeL";
const before = await evaluateRecipe(chat);
const adapter = settings.adapter ??
  { use: "lora", with: { r: Number(settings.r), loraAlpha: Number(settings.r), targetModules: "all-linear" } };
const after = await trainRecipe({ ...chat, adapter }, settings);

const answers = (await readRows(data.eval)).map((row) =>
  String((row[messages] as { content: string }[]).at(-1)?.content)
);
const { value, share } = mostFrequent(answers);
printScores("perplexity of answers", { "with LoRA": after.perplexity ?? NaN, "without": before.perplexity ?? NaN });
printScores(name, {
  "with LoRA": after[name] ?? NaN,
  "without": before[name] ?? NaN,
  ...(own ? { [`always "${value}"`]: share } : {}),
});
