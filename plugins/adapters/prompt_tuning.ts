/**
 * Prompt tuning: learned embeddings, prepended to each sequence.
 * @module
 */
import * as v from "valibot";
import { badValue, missing, unsupported } from "../../core/base/errors.ts";
import type { AttachContext, Factory, Initializer, InspectedBackbone } from "../../core/types.ts";
import {
  definePeft,
  numVirtualTokens,
  promptAdapter,
  savedEntries,
  type SavedOptions,
  savedVectors,
  sizesOfModel,
  submodules,
} from "../../blocks/adapter/mod.ts";

/** Options of {@link promptTuning}, PEFT's PromptTuningConfig in camelCase. */
export interface PromptTuningOptions extends SavedOptions {
  /** The number of virtual tokens that are prepended. */
  readonly numVirtualTokens: number;
  /** How they are initialized: normally distributed, with the embeddings of a text, or with those of random tokens. */
  readonly promptTuningInit: "RANDOM" | "TEXT" | "SAMPLE_VOCAB";
  /** The text, cut or repeated to the right number of tokens. */
  readonly promptTuningInitText: string | null;
}

/**
 * [P; E(x)] instead of E(x), with P trained and the model frozen (Lester et al. 2021). Virtual tokens take up
 * positions, and count where a sequence's first token is read.
 *
 * @throws AttuneError on attaching if `promptTuningInit` is TEXT without a text.
 * @example
 * ```ts
 * import { promptTuning } from "attune/adapters/prompt-tuning";
 * console.assert(promptTuning({ numVirtualTokens: 4 }).name === "prompt-tuning");
 * ```
 */
export const promptTuning: Factory<"adapter", Partial<PromptTuningOptions>> = definePeft<PromptTuningOptions>({
  name: "prompt-tuning",
  type: "PROMPT_TUNING",
  prefix: "base_model.",
  schema: v.strictObject({
    numVirtualTokens,
    promptTuningInit: v.optional(v.picklist(["RANDOM", "TEXT", "SAMPLE_VOCAB"]), "RANDOM"),
    promptTuningInitText: v.optional(v.nullable(v.string()), null),
    ...savedEntries,
  }),
  ignoredFields: ["tokenizer_name_or_path", "tokenizer_kwargs", ...sizesOfModel],
  attach: (o, backbone, context, saved) => {
    const count = o.numVirtualTokens * submodules(context.task);
    const init = saved ? "zeros" as const : firstPrompt(o, count, backbone, context);
    return {
      ...promptAdapter(backbone, o.numVirtualTokens, (b, dim) => b.parameter("prompt_embeddings", [count, dim], init)),
      // The initialization does not matter for a saved prompt, and PEFT would require a tokenizer's name.
      ...savedVectors("PROMPT_TUNING", o, backbone, context, saved, () => ({
        numVirtualTokens: o.numVirtualTokens,
        promptTuningInit: "RANDOM",
        promptTuningInitText: null,
      })),
    };
  },
});

function firstPrompt(
  o: PromptTuningOptions,
  count: number,
  backbone: InspectedBackbone,
  { tokenizer }: AttachContext,
): Initializer {
  if (o.promptTuningInit === "RANDOM") {
    if (o.promptTuningInitText !== null) {
      throw badValue(
        "prompt-tuning",
        "adapter.with.promptTuningInitText",
        o.promptTuningInitText,
        "null unless promptTuningInit is TEXT",
      );
    }
    return { normal: 1 };
  }
  const text = o.promptTuningInitText;
  if (o.promptTuningInit === "TEXT" && text === null) {
    throw badValue(
      "prompt-tuning",
      "adapter.with.promptTuningInitText",
      null,
      "a text, because promptTuningInit is TEXT",
    );
  }
  if (text !== null && !tokenizer) throw missing("prompt-tuning", "a tokenizer", "the run");
  const ids = text === null ? undefined : tokenizer?.encode(text)[0].ids;
  if (ids?.length === 0) {
    throw unsupported("prompt-tuning", "adapter.with.promptTuningInitText", text, "it has no tokens");
  }
  return async (weights, random) => {
    const { data, dims: [vocabulary = 1, dim = 1] } = await weights.read(`${backbone.wordEmbeddings}.weight`);
    const prompt = new Float32Array(count * dim);
    const scale = backbone.scales[backbone.wordLookups[0] ?? ""] ?? 1;
    for (let i = 0; i < count; i++) {
      const id = ids ? ids[i % ids.length] ?? 0 : Math.floor(random.uniform(i) * vocabulary);
      prompt.set(data.subarray(id * dim, (id + 1) * dim), i * dim);
    }
    if (scale !== 1) prompt.forEach((x, i) => (prompt[i] = scale * x));
    return prompt;
  };
}
