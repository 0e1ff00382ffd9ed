/**
 * Noise on embeddings.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import * as f from "../../core/graph/ops/functions.ts";
import { f32 } from "../../core/base/tensor.ts";
import type { Factory } from "../../core/types.ts";

/** Options of {@link neftune}. */
export interface NeftuneOptions {
  /** α: the noise's bound is α / √(tokens · width). */
  readonly noiseAlpha: number;
}

/**
 * NEFTune (Jain et al. 2024): in training, word embeddings get uniform noise of at most α/√(Ld), where L is the
 * sequence's number of tokens (Hugging Face uses the padded length, so it depends on the batch) and d the width of
 * embeddings.
 *
 * @example
 * ```ts
 * import { neftune } from "attune/regularizers/neftune";
 * console.assert(neftune({ noiseAlpha: 10 }).name === "neftune");
 * ```
 */
export const neftune: Factory<"regularizer", Partial<NeftuneOptions>> = define({
  kind: "regularizer",
  name: "neftune",
  schema: v.strictObject({ noiseAlpha: v.optional(v.pipe(v.number(), v.minValue(0)), 5) }),
  create: ({ noiseAlpha }: NeftuneOptions) => ({
    around: (backbone) => ({
      embedding: (b, call, next) => {
        const x = next(call);
        if (!backbone.wordLookups.includes(call.path)) return x;
        const { first, last, sequence } = b.stream(call.side);
        const lengths = f.cast(f.add(f.sub(last, first), 1), "float32"); // [sequences]
        const values = f.mul(f.gather(lengths, f.maximum(sequence, 0)), call.embeddingDim);
        const bound = f.div(f.constant(x, f32([], [noiseAlpha])), f.sqrt(values));
        return f.add(x, f.mul(b.noise(x), f.reshape(bound, [x.shape[0] ?? 1, 1])));
      },
    }),
  }),
});
