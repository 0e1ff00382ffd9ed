/** Options of tasks that answer rows with generated text, and the decoded answers. */
import * as v from "valibot";
import { most } from "../../core/base/most.ts";
import type { GenerationConfig, Json, Named, Tensor, Tokenizer } from "../../core/types.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 31 - 1));
const some = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.tokens));
const part = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const positive = v.pipe(v.number(), v.finite(), v.gtValue(0));

/** Schema of generation options; those that are absent are the checkpoint's. */
export const generationSchema: v.GenericSchema<Partial<GenerationConfig>, Partial<GenerationConfig>> = v.pipe(
  v.partial(v.strictObject({
    maxNewTokens: some,
    minNewTokens: count,
    doSample: v.boolean(),
    temperature: positive,
    topK: count,
    topP: v.pipe(positive, v.maxValue(1)),
    minP: part,
    topH: part,
    typicalP: part,
    epsilonCutoff: part,
    etaCutoff: part,
    maxLength: some,
    minLength: count,
    suppressTokens: v.array(count),
    beginSuppressTokens: v.array(count),
    badWordsIds: v.array(v.array(count)),
    sequenceBias: v.array(v.tuple([v.array(count), v.pipe(v.number(), v.finite())])),
    exponentialDecayLengthPenalty: v.tuple([count, positive]),
    encoderRepetitionPenalty: positive,
    encoderNoRepeatNgramSize: count,
    renormalizeLogits: v.boolean(),
    numBeams: v.pipe(some, v.maxValue(1000)),
    lengthPenalty: v.pipe(v.number(), v.finite()),
    earlyStopping: v.union([v.boolean(), v.literal("never")]),
    noRepeatNgramSize: count,
    repetitionPenalty: positive,
    eosTokenId: v.nullable(v.union([count, v.array(count)])),
    seed: v.pipe(v.number(), v.integer()),
  })),
  v.check((o) => !(o.doSample && (o.numBeams ?? 1) > 1), "either doSample or numBeams above 1"),
) as v.GenericSchema<Partial<GenerationConfig>, Partial<GenerationConfig>>;

/** Returns `{ text }` for each row of `sequences`. */
export function decodeTexts({ sequences }: Named<Tensor>, tokenizer: Tokenizer): Named<Json>[] {
  const [rows = 0, longest = 0] = sequences?.dims ?? [];
  return Array.from({ length: rows }, (_, i) => {
    const row = Array.from({ length: longest }, (_, k) => Number(sequences?.data[i * longest + k]));
    return { text: tokenizer.decode(row.filter((id) => id >= 0), { skipSpecialTokens: true }) };
  });
}
