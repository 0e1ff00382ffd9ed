/** Scaled dot-product attention. */
import { badValue, missing } from "../../base/errors.ts";
import * as f from "../../graph/ops/functions.ts";
import { addDims, type Dim, mulDims, splitDim } from "../../graph/ops/dims.ts";
import type { Value } from "../../graph/graph.ts";
import type { Batch, HookPoints } from "../../types.ts";
import { MASKED_SCORE, withPrefixBias } from "./attention_bias.ts";
import type { BuildContext } from "./context.ts";
import { swapHeadsAndPlaces } from "./heads_first.ts";
import { type BuildOptions, drawsRandomly } from "./options.ts";

type AttentionCall = HookPoints["attention"];

/** The fewest places of a block of queries. */
const QUERY_BLOCK = 128;

/** Returns the best number of query blocks for attention over a batch's rows: 0 or 1 if they are short. */
export function queryBlocksFor({ seq, decoder }: Pick<Batch, "seq" | "decoder">): number {
  return Math.min(16, Math.floor(Math.max(seq, decoder?.seq ?? 0) / QUERY_BLOCK));
}

/** Builds scaled dot-product attention; returns [batch, seq, heads, headDim]. */
export function scaledDotProductAttention(context: BuildContext, call: AttentionCall): Value {
  const { k, v, prefix, options } = call;
  const heads = headsOf(call);
  const q = swapHeadsAndPlaces(call.q);
  const bias = (): Value => context.attentionBias(options, prefix);
  const cuts = queryCuts(context.options, call);
  let read = cuts
    ? f.concat(
      cuts.map((from, i) => {
        const to = cuts[i + 1] ?? null;
        const rows = (x: Value): Value => f.slice(x, 2, from, to);
        const visible = (x: Value): Value => f.slice(swapHeadsAndPlaces(x), 2, 0, to);
        return attend(context, call, heads, {
          q: rows(q),
          k: [visible(k)],
          v: () => [visible(v)],
          bias: () => f.slice(rows(bias()), 3, 0, to),
        });
      }),
      2,
    )
    : attend(context, call, heads, {
      q,
      k: context.keyValues.partsOf(k),
      v: () => context.keyValues.partsOf(v),
      bias,
    });
  // Padding further than a window from all tokens attends to nothing, as in torch: span heads do read padding.
  if (options.window && !options.causal) {
    read = f.mul(read, f.cast(f.greater(f.max(bias(), 3, true), MASKED_SCORE / 2), "float32"));
  }
  return swapHeadsAndPlaces(read);
}

/** The numbers of query and key heads, and how many query heads share a key head (`group`). */
type Heads = Readonly<{ heads: number; keyHeads: number; group: number; headDim: number }>;

function headsOf({ path, q, k }: AttentionCall): Heads {
  const [, , heads, headDim] = q.shape;
  const keyHeads = k.shape[2];
  if (typeof headDim !== "number" || typeof heads !== "number" || typeof keyHeads !== "number") {
    throw missing("graph", "a fixed number and size of heads", path);
  }
  const group = heads / keyHeads;
  if (!Number.isInteger(group)) throw badValue("graph", `${path}: key heads`, keyHeads, `a divisor of ${heads}`);
  return { heads, keyHeads, group, headDim };
}

/** A block of queries and the keys that they may see, heads first; keys and values in the parts they are stored in. */
type Block = Readonly<{ q: Value; k: readonly Value[]; v: () => readonly Value[]; bias: () => Value }>;

// Query heads that share a key head become further rows of one product, so that keys and values are never repeated.
function attend(
  { modules, dropout }: BuildContext,
  { path, prefix, options }: AttentionCall,
  { heads, keyHeads, group, headDim }: Heads,
  { q, k, v, bias }: Block,
): Value {
  const [batch = 1, , places = 1] = q.shape;
  const folded = (x: Value): Value =>
    group === 1 ? x : f.reshape(x, [batch, keyHeads, mulDims(group, places), x.shape[3] ?? 1]);
  const unfolded = (x: Value): Value => group === 1 ? x : f.reshape(x, [batch, heads, places, x.shape[3] ?? 1]);
  const scale = options.scale ?? 1 / Math.sqrt(headDim);
  const products = k.map((part) => f.product(folded(q), part, { alpha: scale, transB: true }));
  let scores = unfolded(f.concat(products, 3));
  if (options.softcap) scores = f.mul(f.tanh(f.div(scores, options.softcap)), options.softcap);
  if (options.bias) scores = f.add(scores, withPrefixBias(options, prefix, path));
  const probabilities = f.softmax(f.add(scores, bias()));
  modules.attentions.push(probabilities);
  const shares = folded(dropout.ofAttention(probabilities, options.dropout ?? 0, prefix));
  return unfolded(productOfParts(shares, v()));
}

/** Returns where causal attention over long rows is cut: a block of queries computes no scores for keys after it. */
function queryCuts(build: BuildOptions, { q, prefix, options }: AttentionCall): readonly Dim[] | undefined {
  const blocks = build.queryBlocks ?? 1;
  const isWhole = blocks < 2 || !options.causal || options.bias || prefix > 0 ||
    (drawsRandomly(build) && (options.dropout ?? 0) > 0) || build.phase !== undefined ||
    (options.queries ?? "input") !== (options.keys ?? "input");
  return isWhole ? undefined : splitDim(q.shape[1] ?? 1, blocks, QUERY_BLOCK);
}

/** Builds A B, where B is the vertical concatenation of parts. */
function productOfParts(a: Value, parts: readonly Value[]): Value {
  if (parts.length === 1) return f.matmul(a, parts[0] as Value);
  let from: Dim = 0;
  return parts.map((part, i) => {
    const to: Dim = addDims(from, part.shape.at(-2) ?? 1);
    const columns = f.slice(a, -1, from, i === parts.length - 1 ? null : to);
    from = to;
    return f.matmul(columns, part);
  }).reduce((sum, product) => f.add(sum, product));
}
