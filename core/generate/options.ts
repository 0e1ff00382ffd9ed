/** Options of text generation: Hugging Face's GenerationConfig in camelCase, and the sources of its values. */
import { badValue, unsupported } from "../base/errors.ts";
import type { GenerationConfig, Json, Named } from "../types.ts";

/** A complete config, with fields that only checkpoints have. */
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

const isPart = (value: Json | undefined): boolean => isNumber(value) && Number(value) >= 0 && Number(value) <= 1;
const areIds = (value: Json | undefined): boolean => Array.isArray(value) && value.every(isCount);
const areSequences = (value: Json | undefined): boolean =>
  Array.isArray(value) && value.every((ids) => areIds(ids) && (ids as Json[]).length > 0);
const areBiases = (value: Json | undefined): boolean =>
  Array.isArray(value) &&
  value.every((pair) =>
    Array.isArray(pair) && pair.length === 2 && areSequences([pair[0] as Json]) && isNumber(pair[1])
  );

/** For each field of generation_config.json, its name here and a check of its value. */
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
  min_p: ["minP", isPart],
  top_h: ["topH", isPart],
  typical_p: ["typicalP", isPart],
  epsilon_cutoff: ["epsilonCutoff", isPart],
  eta_cutoff: ["etaCutoff", isPart],
  suppress_tokens: ["suppressTokens", areIds],
  begin_suppress_tokens: ["beginSuppressTokens", areIds],
  bad_words_ids: ["badWordsIds", areSequences],
  sequence_bias: ["sequenceBias", areBiases],
  exponential_decay_length_penalty: [
    "exponentialDecayLengthPenalty",
    (v) => Array.isArray(v) && v.length === 2 && isCount(v[0] as Json) && isPositive(v[1] as Json),
  ],
  encoder_repetition_penalty: ["encoderRepetitionPenalty", isPositive],
  encoder_no_repeat_ngram_size: ["encoderNoRepeatNgramSize", isCount],
  renormalize_logits: ["renormalizeLogits", isFlag],
  forced_bos_token_id: ["forcedBosTokenId", isCount],
  forced_eos_token_id: ["forcedEosTokenId", isCount],
};

/** Unimplemented fields that would change the output; values other than these are refused. */
const unbuilt: Readonly<Record<string, readonly Json[]>> = {
  num_beam_groups: [1],
  penalty_alpha: [0],
  diversity_penalty: [0],
  guidance_scale: [1],
};

/** Unimplemented fields that are off if null. */
const nullable = ["force_words_ids", "constraints", "stop_strings", "watermarking_config"] as const;

/**
 * Returns options from, in order of precedence: `changes`, the checkpoint's generation_config.json or config.json, and
 * the defaults. `lengthsAfterPrompt` converts lengths that include the prompt.
 *
 * @throws AttuneError if a file asks for something not implemented, or has an invalid value.
 */
export function generationOptions(
  changes: Partial<GenerationConfig>,
  config: Named<Json>,
  saved: Named<Json> | undefined,
): GenerationOptions {
  // Old checkpoints have the fields of generation in config.json.
  const from: Named<Json> = saved ?? config;
  const where = saved ? "generation_config.json" : "config.json";
  const options: Record<string, unknown> = { ...defaults };
  for (const [length, name] of [["max_length", "maxLength"], ["min_length", "minLength"]] as const) {
    const value = from[length];
    if (saved && typeof value === "number") options[name] = value;
  }
  for (const [field, [name, holds]] of Object.entries(fields)) {
    const value = from[field];
    if (value === undefined || value === null) continue;
    if (!holds(value)) throw badValue("generate", `${where}: ${field}`, value, "a valid value");
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
  const { eosTokenId, ...others } = changes;
  const eos = eosTokenId ?? from.eos_token_id ?? config.eos_token_id ?? null;
  options.eosTokenIds = eos === null ? [] : [eos].flat();
  for (const [name, value] of Object.entries(others)) if (value !== undefined) options[name] = value;
  // A limit of new tokens takes precedence over one of the whole length, and `changes` over files.
  if (changes.maxNewTokens !== undefined || (changes.maxLength === undefined && isCount(from.max_new_tokens))) {
    delete options.maxLength;
  }
  const complete = options as unknown as GenerationOptions;
  if (complete.doSample && complete.numBeams > 1) {
    throw unsupported("generate", "numBeams", complete.numBeams, "sampling among beams is not implemented");
  }
  return complete;
}

/** Returns options for a prompt of `prompt` tokens: limits count only new tokens, of which there is `room`. */
export function lengthsAfterPrompt(options: GenerationOptions, prompt: number, room: number): GenerationOptions {
  const { maxLength, minLength = 0 } = options;
  const most = maxLength === undefined ? options.maxNewTokens : Math.max(1, maxLength - prompt);
  return {
    ...options,
    maxNewTokens: Math.min(most, room),
    minNewTokens: Math.max(options.minNewTokens, minLength - prompt),
  };
}

function notBuilt(where: string, field: string, value: Json): Error {
  return unsupported("generate", `${where}: ${field}`, value, "it is not implemented");
}
