/**
 * MPNet (Song et al. 2020).
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { bucketBias, defineEncoder, type ModelOptions, robertaHeads } from "../../blocks/architecture/mod.ts";

/** Number of distance buckets, and distance of the last bucket, whatever the config says. */
const [NUM_BUCKETS, MAX_DISTANCE] = [32, 128];

/**
 * MPNet: RoBERTa's positions, and a bias of distances that all layers share.
 *
 * @example
 * ```ts
 * import { mpnet } from "attune/architectures/mpnet";
 * console.assert(mpnet().modelTypes.includes("mpnet"));
 * ```
 */
export const mpnet: Factory<"architecture", ModelOptions> = defineEncoder({
  name: "mpnet",
  classPrefix: "MPNet",
  defaults: { vocab_size: 30527 },
  paddingIdx: 1,
  positionsSkipPadding: true,
  tokenTypes: false,
  relative: (c, { numHeads }) => {
    const path = "mpnet.encoder.relative_attention_bias";
    const rows = c.count("relative_attention_num_buckets", NUM_BUCKETS, NUM_BUCKETS);
    return {
      shared: (b) => [bucketBias(b, { path, numHeads, numBuckets: NUM_BUCKETS, maxDistance: MAX_DISTANCE, rows })],
      of: (_b, _path, _states, [bias]) => ({ bias: bias! }),
    };
  },
  layers: (count) =>
    Array.from({ length: count }, (_, i) => {
      const path = `mpnet.encoder.layer.${i}`;
      const paths = {
        query: `${path}.attention.attn.q`,
        key: `${path}.attention.attn.k`,
        value: `${path}.attention.attn.v`,
        attentionOut: `${path}.attention.attn.o`,
        attentionNorm: `${path}.attention.LayerNorm`,
        intermediate: `${path}.intermediate.dense`,
        output: `${path}.output.dense`,
        outputNorm: `${path}.output.LayerNorm`,
      };
      return { path, paths };
    }),
  heads: (_, sizes) => robertaHeads("mpnet", { ...sizes, classifierDropout: sizes.hiddenDropout }),
  targets: {
    attention: ["q", "v"],
    keysValues: ["k", "v"],
    feedForward: ["output.dense"],
    norms: ["LayerNorm"],
  },
});
