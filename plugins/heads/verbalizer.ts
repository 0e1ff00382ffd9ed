/**
 * A language model's head as a classifier: classes have words, whose probabilities are the model's.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { unsupported } from "../../core/base/errors.ts";
import {
  cast,
  equal,
  gather,
  logSoftmax,
  matmul,
  maximum,
  pick,
  product,
  reshape,
  slice,
  transpose,
} from "../../core/graph/ops/functions.ts";
import { chunkedLogits } from "../../core/graph/chunked_logits.ts";
import { most } from "../../core/base/most.ts";
import type { Factory, GraphBuilder, InspectedBackbone, Value } from "../../core/types.ts";
import { vocabularyLogits } from "../../blocks/head/mod.ts";

/** Options of {@link verbalizer}. */
export interface VerbalizerOptions {
  /** The number of words for each class. */
  readonly words: readonly number[];
  /** Which language model head of the family to use: masked or causal. */
  readonly lm: "masked" | "causal";
  /** The score of a word: the logit of its first token, or the log likelihood of all of its tokens. */
  readonly scoring: "token" | "likelihood";
  /**
   * False: hidden states are compared directly with word embeddings, for encoders that were saved without their LM
   * head, which would start at random.
   */
  readonly transform: boolean;
}

type Input = Readonly<
  { words: readonly number[]; lm?: "masked" | "causal"; scoring?: "token" | "likelihood"; transform?: boolean }
>;

/**
 * Logits [samples, classes]: the mean of the scores of each class's words (Schick & Schütze 2021; OpenPrompt's
 * ManualVerbalizer). By token, all words are scored at one position; by likelihood, each word has its own sequence.
 *
 * @throws AttuneError if the family has no such language head.
 * @example
 * ```ts
 * import { verbalizer } from "attune/heads/verbalizer";
 * console.assert(verbalizer({ words: [2, 1] }).modulesToSave.length === 0);
 * ```
 */
export const verbalizer: Factory<"head", Input> = define({
  kind: "head",
  name: "verbalizer",
  schema: v.strictObject({
    words: v.pipe(v.array(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.tokens))), v.minLength(2)),
    lm: v.optional(v.picklist(["masked", "causal"]), "masked"),
    scoring: v.optional(v.picklist(["token", "likelihood"]), "token"),
    transform: v.optional(v.boolean(), true),
  }),
  create: (options: VerbalizerOptions) => ({
    modulesToSave: [],
    forward: (b, states, backbone) => {
      if (states.encoder) {
        throw unsupported("verbalizer", "task", backbone.baseModelPrefix, "encoder-decoder models are not");
      }
      const { words, scoring } = options;
      const count = words.reduce((a, n) => a + n, 0);
      // A build without rows, such as one that lists a model's modules, may use any position.
      const at = b.hasField("answer.at") ? b.input("answer.at", "int32", ["answer.at.count"]) : b.stream().last;
      const logits = wordLogits(b, b.rows(states.hidden, at), backbone, options);
      const ofPlace = belongs(b, at);
      const means = meansOf(b, words);
      if (scoring === "token") {
        const ids = reshape(slice(b.input("answer.words", "int32", ["samples", count]), 0, 0, 1), [count]);
        return { logits: matmul(ofPlace, product(gather(transpose(logits), ids), means, { transA: true })) };
      }
      const answer = maximum(b.input("answer", "int32", at.shape), 0);
      const many = chunkedLogits(logits, answer, { mean: false, best: false });
      const each = many?.label ?? pick(logSoftmax(logits), answer);
      const likelihood = reshape(matmul(ofPlace, reshape(each, [at.shape[0] ?? 1, 1])), ["sequences"]);
      return { logits: matmul(gather(likelihood, b.input("members", "int32", ["samples", count])), means) };
    },
  }),
});

function wordLogits(
  b: GraphBuilder,
  x: Value,
  backbone: InspectedBackbone,
  { lm, transform }: VerbalizerOptions,
): Value {
  const style = lm === "masked" ? backbone.heads.mlm : backbone.heads.lm;
  if (!style) {
    const what = lm === "masked" ? "masked language" : "language modelling";
    throw unsupported("verbalizer", "task.with.lm", lm, `${backbone.baseModelPrefix} has no ${what} head`);
  }
  if (transform) return vocabularyLogits(b, x, backbone, style);
  const tied = `${backbone.wordEmbeddings}.weight`;
  if (backbone.shapes[tied]?.[1] !== backbone.hiddenSize) {
    throw unsupported("verbalizer", "task.with.transform", false, "word embeddings and hidden states differ in width");
  }
  return b.linear(style.out, x, { outFeatures: backbone.vocabSize, bias: false, tied });
}

/** Returns which position belongs to which sequence: [sequences, positions]. */
function belongs(b: GraphBuilder, at: Value): Value {
  const { sequence, first } = b.stream();
  const flat = reshape(sequence, ["batch*seq"]);
  const sequenceIndex = reshape(gather(flat, first), ["sequences", 1]);
  return cast(equal(sequenceIndex, reshape(gather(flat, at), [1, at.shape[0] ?? 1])), "float32");
}

/** Returns the matrix that averages over each class's words, which are in order: [words, classes]. */
function meansOf(b: GraphBuilder, words: readonly number[]): Value {
  const rows = words.flatMap((n, label) =>
    Array.from({ length: n }, () => words.map((_, other) => (other === label ? 1 / n : 0)))
  );
  return b.graph.constant({
    dtype: "float32",
    dims: [rows.length, words.length],
    data: Float32Array.from(rows.flat()),
  });
}
