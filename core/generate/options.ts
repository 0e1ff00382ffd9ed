/**
 * How text is generated: Hugging Face's GenerationConfig in camelCase, and where its values come from.
 * @module
 */
import { badValue, unsupported } from "../errors.ts";
import type { GenerationConfig, Json, Named } from "../types.ts";

/** A complete config, with what only checkpoints say. */
export type GenerationOptions =
  & Omit<GenerationConfig, "eosTokenId">
  & Readonly<{ eosTokenIds: readonly number[]; forcedBosTokenId?: number; forcedEosTokenId?: number }>;

const defaults: GenerationOptions = {
  maxNewTokens: 128,
  minNewTokens: 0,
  doSample: false,
  temperature: 1,
  topK: 50,
  topP: 1,
  numBeams: 1,
  lengthPenalty: 1,
  earlyStopping: false,
  noRepeatNgramSize: 0,
  repetitionPenalty: 1,
  seed: 42,
  eosTokenIds: [],
};

const isCount = (value: Json | undefined): boolean => Number.isInteger(value) && Number(value) >= 0;
const isPositive = (value: Json | undefined): boolean => typeof value === "number" && value > 0 && value < Infinity;
const isNumber = (value: Json | undefined): boolean => typeof value === "number" && Number.isFinite(value);
const isFlag = (value: Json | undefined): boolean => typeof value === "boolean";

/** What a field of generation_config.json may hold, and what it is called here. */
const fields: Readonly<Record<string, readonly [keyof GenerationOptions, (value: Json | undefined) => boolean]>> = {
  max_new_tokens: ["maxNewTokens", (v) => isCount(v) && v !== 0],
  min_new_tokens: ["minNewTokens", isCount],
  do_sample: ["doSample", isFlag],
  num_beams: ["numBeams", (v) => isCount(v) && v !== 0],
  temperature: ["temperature", isPositive],
  top_k: ["topK", isCount],
  top_p: ["topP", (v) => isPositive(v) && Number(v) <= 1],
  repetition_penalty: ["repetitionPenalty", isPositive],
  no_repeat_ngram_size: ["noRepeatNgramSize", isCount],
  length_penalty: ["lengthPenalty", isNumber],
  early_stopping: ["earlyStopping", (v) => isFlag(v) || v === "never"],
  forced_bos_token_id: ["forcedBosTokenId", isCount],
  forced_eos_token_id: ["forcedEosTokenId", isCount],
};

/** Fields that change what comes out and are not built; other values than these are refused. */
const unbuilt: Readonly<Record<string, readonly Json[]>> = {
  num_beam_groups: [1],
  penalty_alpha: [0],
  diversity_penalty: [0],
  typical_p: [1],
  min_p: [0],
  epsilon_cutoff: [0],
  eta_cutoff: [0],
  encoder_repetition_penalty: [1],
  encoder_no_repeat_ngram_size: [0],
  guidance_scale: [1],
};

/** Fields that are not built and are off where they are null. */
const nullable = [
  "bad_words_ids",
  "sequence_bias",
  "suppress_tokens",
  "begin_suppress_tokens",
  "exponential_decay_length_penalty",
  "force_words_ids",
  "constraints",
] as const;

/**
 * Options from, in order: what is asked for, the checkpoint's generation_config.json or config.json, the defaults.
 * `prompt`: tokens that lengths in the files count and `maxNewTokens` does not, where that is known.
 *
 * @throws AttuneError where a file asks for what is not built, or a value makes no sense.
 */
export function generationOptions(
  asked: Partial<GenerationConfig>,
  config: Named<Json>,
  saved: Named<Json> | undefined,
  prompt: number,
): GenerationOptions {
  // Old checkpoints have these among the fields of the model.
  const from: Named<Json> = saved ?? config;
  const where = saved ? "generation_config.json" : "config.json";
  const options: Record<string, unknown> = { ...defaults };
  for (const [length, own] of [["max_length", "maxNewTokens"], ["min_length", "minNewTokens"]] as const) {
    const value = from[length];
    if (typeof value === "number" && saved) options[own] = Math.max(own === "maxNewTokens" ? 1 : 0, value - prompt);
  }
  for (const [field, [name, holds]] of Object.entries(fields)) {
    const value = from[field];
    if (value === undefined || value === null) continue;
    if (!holds(value)) throw badValue("generate", `${where}: ${field}`, value, "a value that generation can take");
    options[name] = value;
  }
  for (const [field, allowed] of Object.entries(unbuilt)) {
    const value = from[field];
    if (value !== undefined && value !== null && !allowed.includes(value)) throw notBuilt(where, field, value);
  }
  for (const field of nullable) {
    const value = from[field];
    if (value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0)) {
      throw notBuilt(where, field, value);
    }
  }
  const { eosTokenId, ...others } = asked;
  const eos = eosTokenId ?? from.eos_token_id ?? config.eos_token_id ?? null;
  options.eosTokenIds = eos === null ? [] : [eos].flat();
  for (const [name, value] of Object.entries(others)) if (value !== undefined) options[name] = value;
  const complete = options as unknown as GenerationOptions;
  if (complete.doSample && complete.numBeams > 1) {
    throw unsupported("generate", "numBeams", complete.numBeams, "sampling among beams is not built");
  }
  return complete;
}

function notBuilt(where: string, field: string, value: Json): Error {
  return unsupported("generate", `${where}: ${field}`, value, "this is not built");
}
