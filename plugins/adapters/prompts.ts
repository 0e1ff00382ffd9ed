/**
 * Learned vectors in front of sequences: as embeddings of virtual tokens, or as keys and values of every layer.
 * @module
 */
import { badValue, unsupported } from "../../core/errors.ts";
import { concat, equal, expand, gather, maximum, reshape, slice, sub, where } from "../../core/graph/functions.ts";
import type { Attached, Build, Trunk, Value } from "../../core/types.ts";

/** How many parts of a model have prompts of their own, by PEFT's rule: of encoder and decoder each, though only one reads. */
export function submodules(task: string): number {
  return task === "SEQ_2_SEQ_LM" ? 2 : 1;
}

/** Virtual tokens whose embeddings are the first rows of `prompt` [at least count, dim]. */
export function promptAdapter(
  trunk: Trunk,
  count: number,
  prompt: (b: Build, dim: number) => Value,
): Pick<Attached, "reserve" | "embedding"> {
  if (count >= trunk.maxPositions) {
    throw badValue(
      "prompt",
      "adapter.with.numVirtualTokens",
      count,
      `fewer than the model's ${trunk.maxPositions} positions`,
    );
  }
  return {
    reserve: { tokens: count },
    embedding: (b, call, next) => {
      const y = next(call);
      if (call.path !== trunk.wordEmbeddings || call.side !== "input") return y;
      // 0: a token of the row; n: the n-th virtual one
      const number = reshape(b.input("virtual", "int32", ["batch", "seq"]), ["batch*seq"]);
      const rows = gather(prompt(b, call.embeddingDim), maximum(sub(number, 1), 0));
      return where(equal(reshape(number, ["batch*seq", 1]), 0), y, rows);
    },
  };
}

/** Keys and values in front of every layer's own: `prefix` [count, layers × (keys, values) × heads × head size]. */
export function prefixAdapter(
  plugin: string,
  trunk: Trunk,
  count: number,
  task: string,
  prefix: (b: Build, width: number) => Value,
): Pick<Attached, "reserve" | "attention"> {
  const { layers, numKeyValueHeads: heads, headDim } = trunk;
  if (task === "SEQ_2_SEQ_LM") {
    throw unsupported(plugin, "task", task, "prefixes of encoder-decoder models are not built");
  }
  if (new Set(layers).size < layers.length) {
    throw unsupported(
      plugin,
      "adapter",
      trunk.modelType,
      "its layers share their weights, and so have no places of their own",
    );
  }
  return {
    reserve: { positions: count },
    attention: (b, call, next) => {
      const layer = layers.findIndex((path) => call.path === path || call.path.startsWith(`${path}.`));
      if (layer < 0) throw badValue(plugin, "adapter", call.path, "attention inside one of the model's layers");
      const all = reshape(prefix(b, 2 * layers.length * heads * headDim), [count, 2 * layers.length, heads, headDim]);
      const own = (part: number): Value => {
        const rows = reshape(slice(all, 1, 2 * layer + part, 2 * layer + part + 1), [1, count, heads, headDim]);
        return expand(rows, ["batch", count, heads, headDim]);
      };
      return next({
        ...call,
        k: concat([own(0), call.k], 1),
        v: concat([own(1), call.v], 1),
        prefix: call.prefix + count,
      });
    },
  };
}
