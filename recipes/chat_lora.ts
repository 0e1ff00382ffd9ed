/**
 * Trains a chat model with LoRA; only the assistant's messages are learned.
 *
 *     npm run chat-lora
 *     node recipes/chat_lora.ts --model Qwen/Qwen2.5-0.5B-Instruct --data chats.jsonl
 *
 * Rows have `messages`. Without `--data`, they are questions about labelled review sentences (npm's sentiment),
 * answered with their labels. Without `--model`, a Llama of two layers, with the word vectors of `attune:base` and
 * random layers (recipes/starter.ts), first learns to continue the review sentences themselves, and LoRA adapts the
 * result. The score is compared with the same base without LoRA, and with the most frequent answer.
 */
import type { Json, Named, Row } from "../core/types.ts";
import { columnsOf, common, type Data, type Settings } from "./options.ts";
import { defineRecipe } from "./recipe.ts";
import { runIfMain } from "./run_if_main.ts";
import {
  evaluateRecipe,
  makeRows,
  mostFrequent,
  pathIn,
  readRows,
  reported,
  resolveData,
  reviews,
  showScores,
  trainingArguments,
  trainRecipe,
} from "./shared.ts";
import { starterDecoder } from "./starter.ts";
import type { Workbench } from "./workbench.ts";

/** Trains LoRA on a decoder that learns to answer; returns the scores of its answers with and without LoRA. */
export const chatLora = defineRecipe({
  name: "chat-lora",
  summary: "train a chat model with LoRA",
  options: {
    ...common,
    r: { says: "LoRA's rank", default: 16, number: true },
    maxNewTokens: { says: "the longest answer in tokens", number: true },
  },
  run: async (settings, bench) => {
    const { r } = settings;
    const columns = columnsOf(settings);
    const { messages = "messages" } = columns;
    const isBuiltIn = settings.data === undefined;
    const questions = (): Promise<Data> => makeRows(bench, settings, reviews, (rows) => rows.map(asQuestion));
    const data = await resolveData(bench, settings, questions);
    const training = trainingArguments(settings, {
      learningRate: 2e-3,
      numTrainEpochs: 2,
      maxLength: isBuiltIn ? 96 : 512,
      perDeviceEvalBatchSize: 32,
      evalStrategy: "no",
    });
    const path = settings.model === "attune:base" ? await trainStarter(bench, settings, training) : settings.model;
    const chat = {
      name: "chat-lora",
      model: { use: "pretrained", with: { path } },
      task: {
        use: "causal-lm",
        with: {
          lossOn: "assistant",
          columns,
          generation: { maxNewTokens: settings.maxNewTokens ?? (isBuiltIn ? 4 : 128) },
        },
      },
      data,
      metrics: [isBuiltIn ? "exact-match" : "rouge", "perplexity"],
      training,
    };
    const name = isBuiltIn ? "exact-match" : "rougeL";
    const before = await evaluateRecipe(bench, chat);
    const adapter = settings.adapter ?? { use: "lora", with: { r, loraAlpha: r, targetModules: "all-linear" } };
    const after = await trainRecipe(bench, { ...chat, adapter }, settings);
    const answers = (await readRows(bench, reported(data))).map((row) =>
      String((row[messages] as { content: string }[]).at(-1)?.content)
    );
    const { value, share } = mostFrequent(answers);
    return showScores(bench, {
      "perplexity of answers": { "with LoRA": after.perplexity ?? NaN, "without": before.perplexity ?? NaN },
      [name]: {
        "with LoRA": after[name] ?? NaN,
        "without": before[name] ?? NaN,
        ...(isBuiltIn ? { [`always "${value}"`]: share } : {}),
      },
    });
  },
});

function asQuestion({ text, label }: Row): Row {
  return {
    messages: [
      { role: "user", content: `${text} Is this positive or negative?` },
      { role: "assistant", content: String(label) },
    ],
  };
}

/** Trains a Llama of two layers on the review sentences, and returns its path. */
async function trainStarter(bench: Workbench, settings: Settings, training: Named<Json>): Promise<string> {
  bench.say("No --model: a Llama of two layers first learns to go on with the review sentences.\n");
  const path = await starterDecoder(await bench.host(), pathIn(settings.output, "start"));
  await trainRecipe(
    bench,
    {
      name: "starter",
      model: { use: "pretrained", with: { path } },
      task: "causal-lm",
      data: await resolveData(bench, { ...settings, data: undefined }, reviews),
      training: { ...training, learningRate: 1e-3, numTrainEpochs: 2, maxLength: 64 },
    },
    settings,
    "base",
  );
  return pathIn(settings.output, "base/model");
}

await runIfMain(import.meta, chatLora);
