/**
 * The build context: what models, adapters, heads and losses write their part of the graph with, and what it remembers
 * of them (parameters, dropout sites, layers) for the engine.
 * @module
 */
import { badValue, missing, unsupported } from "../errors.ts";
import { f32 } from "../tensor.ts";
import * as f from "../graph/functions.ts";
import { addDims, type Dim, mulDims, seqDim, sizeOfShape, splitDim } from "../graph/dims.ts";
import { type Graph, type Node, reachable, type Shape, type Value } from "../graph/graph.ts";
import { selectRows } from "../graph/rows.ts";
import { backward } from "../graph/vjp.ts";
import type {
  AttachedAdapter,
  AttentionOptions,
  Batch,
  EmbeddingOptions,
  GraphBuilder,
  HookPoints,
  Initializer,
  LinearOptions,
  Middleware,
  Named,
  Side,
  Tensor,
  TokenStream,
} from "../types.ts";

/**
 * A parameter that a build asked for. `local`: its name without the task's, which a head's own has in front where tasks
 * have names. `adapter`: its own, not the model's. `paddingIdx`: a row without gradient.
 */
export type Parameter = Readonly<{
  name: string;
  unqualifiedName: string;
  value: Value;
  shape: readonly number[];
  init: Initializer;
  adapter: boolean;
  paddingIdx: number | undefined;
  /** Never trains, whatever adapters answer. */
  frozen: boolean;
  /** A regularizer's own: it trains, and is not part of the model. */
  regularizer: boolean;
  /** The graph inputs whose ids index it, where it is an embedding table. */
  ids: readonly string[];
}>;

/** A dropout site: a mask that the host draws and feeds under `name`; without `p` uniform numbers from -1 to 1. */
export type DropoutMask = Readonly<{ name: string; site: number; p: number | undefined; shape: Shape }>;

/** What a build remembers. */
export type BuildInfo = Readonly<{
  parameters: ReadonlyMap<string, Parameter>;
  masks: ReadonlyMap<string, DropoutMask>;
  linears: ReadonlyMap<string, LinearOptions>;
  embeddings: ReadonlyMap<string, EmbeddingOptions>;
  /** Tensors that modules share with others: the name each would have alone, and whose it is. */
  ties: ReadonlyMap<string, string>;
  layers: readonly Readonly<{ path: string; output: Value }>[];
  attentions: readonly Value[];
  /** What generation keeps for the next token: keys and values, by the input that takes them. */
  keyValueCache: ReadonlyMap<string, Value>;
  /** Whether label smoothing was asked for. */
  smoothed(): boolean;
}>;

/** How a build goes. `trains`: whether a parameter trains. */
export type BuildOptions = Readonly<{
  graph: Graph;
  mode: GraphBuilder["mode"];
  attached: readonly AttachedAdapter[];
  /** Regularizers' middleware, outside of the adapters'. */
  around?: readonly Readonly<{ name: string; around: Middleware }>[];
  /** False where a training graph is wanted without its randomness. */
  random?: boolean;
  initializerRange: number;
  labelSmoothing: number;
  checkpointing: boolean;
  isTrainable: (name: string, adapter: boolean) => boolean;
  /** What the collator makes of labels. */
  targets: Named<Tensor>;
  /** Names of what the collator makes. */
  given?: readonly string[];
  /** Into how many blocks of queries causal attention is cut; each sees only the keys up to its end. */
  queryBlocks?: number | undefined;
  /** In generation: whether what comes before is computed, or is what was kept of it. */
  phase?: Phase | undefined;
  /** The side that generation adds to. */
  grows?: Side | undefined;
  /** Stands in front of the names of a head's own parameters, where several tasks share a model. */
  taskName?: string;
  /** Whether a parameter that a head asks for is the model's, and so every task's. */
  shared?: (name: string) => boolean;
  /** Tensors that the checkpoint does not share though the model would: see `InspectedBackbone.untied`. */
  untied?: readonly string[] | undefined;
}>;

/**
 * Of generation: over what came before, one token more or a whole prompt (of which nothing came before). Where another
 * side is read, that side is computed with the prompt: in a graph of its own.
 */
export type Phase = "prefill" | "decode";

/** Places behind heads, and heads behind places again. */
const HEADS_FIRST: readonly number[] = [0, 2, 1, 3];

/** Rows of places, and places of rows. */
const PLACES_FIRST: readonly number[] = [1, 0, 2, 3];

/** What begins the names of keys and values of the other side, which stay as they are. */
export const CROSS_ATTENTION = "cross";

/** A score so low that its exponential is zero beside any other. */
const MASKED_SCORE = -1e9;

/** Blocks of queries have at least so many places. */
const QUERY_BLOCK = 128;

/** Into how many blocks attention over a batch's rows is best cut: none where they are short. */
export function queryBlocksFor({ seq, decoder }: Pick<Batch, "seq" | "decoder">): number {
  return Math.min(16, Math.floor(Math.max(seq, decoder?.seq ?? 0) / QUERY_BLOCK));
}

/** A build context over a graph, and its memory. */
export function createGraphBuilder(
  options: BuildOptions,
): Readonly<{
  build: GraphBuilder;
  recorded: BuildInfo;
  within: <T>(adapter: AttachedAdapter, make: (b: GraphBuilder) => T) => T;
  inHead: <T>(f: () => T) => T;
  /** Builds what a regularizer of a name asks for; without a name what the model does, inside of that. */
  asRegularizer: <T>(name: string | undefined, make: () => T) => T;
}> {
  const { graph, mode, attached } = options;
  const draws = mode === "train" && options.random !== false;
  const parameters = new Map<string, Parameter>();
  const masks = new Map<string, DropoutMask>();
  const linears = new Map<string, LinearOptions>();
  const embeddings = new Map<string, EmbeddingOptions>();
  const ties = new Map<string, string>();
  const layers: { path: string; output: Value }[] = [];
  const attentions: Value[] = [];
  const biases = new Map<string, Value>();
  const kept = new Map<string, Value>();
  // What is kept with what is new behind it, by what both are together.
  const joined = new Map<Value, readonly Value[]>();
  let site = 0;
  let calls = 0;
  // The adapter that is building, if one is.
  let inAdapter: AttachedAdapter | undefined;
  // The name of the regularizer that is building, if one is.
  let inRegularizer: string | undefined;
  let building: "model" | "head" = "model";

  const parameter = (
    name: string,
    shape: readonly number[],
    init: Initializer = { normal: options.initializerRange },
    { paddingIdx, ids, frozen = false }: Readonly<{ paddingIdx?: number; ids?: string; frozen?: boolean }> = {},
  ): Value => {
    const regularizer = inRegularizer !== undefined;
    const local = regularizer ? `${inRegularizer}/${name}` : qualifyName(inAdapter, name);
    const owned = building === "head" && options.taskName && !options.shared?.(name);
    const full = owned ? `${options.taskName}.${local}` : local;
    const known = parameters.get(full);
    const named = [...new Set([...known?.ids ?? [], ...(ids === undefined ? [] : [ids])])];
    const value = known?.value ?? graph.parameter(full, "float32", shape);
    const adapter = inAdapter !== undefined;
    const own = known ??
      { name: full, unqualifiedName: local, value, shape, init, adapter, regularizer, frozen, paddingIdx };
    parameters.set(full, { ...own, ids: named });
    return value;
  };

  const inside = <T>(adapter: AttachedAdapter | undefined, make: () => T, regularizer?: string): T => {
    const outer = [inAdapter, inRegularizer] as const;
    [inAdapter, inRegularizer] = [adapter, regularizer];
    try {
      return make();
    } finally {
      [inAdapter, inRegularizer] = outer;
    }
  };
  // What the model builds is its own, also where an adapter around it is building.
  const asModel = <T>(make: () => T): T => inside(undefined, make);
  const throughAdapters = <S extends keyof HookPoints>(
    seam: S,
    call: HookPoints[S],
    base: (call: HookPoints[S]) => Value,
  ): Value => {
    let next = (call: HookPoints[S]): Value => asModel(() => base(call));
    const layers: readonly Readonly<{ around: Middleware; adapter?: AttachedAdapter; name?: string }>[] = [
      ...attached.map((adapter) => ({ around: adapter, adapter })),
      ...options.around ?? [],
    ];
    for (const { around: { [seam]: own }, adapter, name } of layers) {
      const around = own as
        | ((b: GraphBuilder, call: HookPoints[S], next: (call: HookPoints[S]) => Value) => Value)
        | undefined;
      if (!around) continue;
      const inner = next;
      next = (call) => inside(adapter, () => around(plain, call, inner), name);
    }
    return next(call);
  };

  const stream = (side: Side = "input", role: "queries" | "keys" = "queries"): TokenStream => {
    const prefix = side === "decoder" ? "decoder_" : "";
    const seq = seqDim(side);
    const places = (name: string): Value => graph.input(`${prefix}${name}`, "int32", ["batch", seq]);
    const sequences = (name: string): Value => graph.input(`${prefix}${name}`, "int32", ["sequences"]);
    if (role === "keys" && options.phase === "decode" && side === options.grows) {
      const all = addDims("pastSeq", seq);
      return {
        ...stream(side),
        segments: graph.input("key_segments", "int32", ["batch", all]),
        positions: graph.input("key_positions", "int32", ["batch", all]),
        columnIndex: graph.input("key_columns", "int32", [all]),
      };
    }
    return {
      ids: places("input_ids"),
      segments: places("segments"),
      positions: places("positions"),
      sequence: places("sequence_ids"),
      columnIndex: graph.input(`${prefix}columns`, "int32", [seq]),
      first: sequences("first"),
      last: sequences("last"),
    };
  };

  const dropout = (x: Value, p: number): Value => {
    if (!draws || p <= 0) return x;
    const own = site++;
    return f.mul(x, mask(`dropout.${own}`, own, p, x.shape));
  };
  const noise = (like: Value): Value => {
    if (!draws) return f.zeros(like, like.shape);
    const own = site++;
    return mask(`noise.${own}`, own, undefined, like.shape);
  };
  // Keys that every token sees stand in front of the sequences' own: their masks are drawn apart, a row for each query.
  const attentionDropout = (x: Value, p: number, prefix: number): Value => {
    if (!draws || p <= 0 || prefix === 0) return dropout(x, p);
    const [batch = "batch", heads = 1, queries = "seq", keys = "seq"] = x.shape;
    const [a, b] = [site++, site++];
    const width = mulDims(heads, prefix);
    const front = mask(`dropout.${a}`, a, p, [mulDims(batch, queries), width]);
    const rest = mask(`dropout.${b}`, b, p, [batch, heads, queries, addDims(keys, -prefix)]);
    return f.mul(x, f.concat([byHead(f.reshape(front, [batch, queries, heads, prefix])), rest], 3));
  };
  const mask = (name: string, own: number, p: number | undefined, shape: Shape): Value => {
    masks.set(name, { name, site: own, p, shape });
    return graph.input(name, "float32", shape);
  };

  // Added to scores: 0 where a key may be seen, else NEVER. Padding sees every token, as it does in torch.
  const attentionBias = (options: AttentionOptions, prefix: number): Value => {
    const key = JSON.stringify([
      prefix,
      options.causal ?? false,
      options.window ?? 0,
      options.queries ?? "input",
      options.keys ?? "input",
    ]);
    const known = biases.get(key);
    if (known) return known;
    const [q, k] = [stream(options.queries), stream(options.keys, "keys")];
    const asQuery = (v: Value): Value => f.reshape(v, ["batch", 1, v.shape[1] ?? 1, 1]);
    const asKey = (v: Value): Value => f.reshape(v, ["batch", 1, 1, v.shape[1] ?? 1]);
    const [qs, ks] = [asQuery(q.segments), asKey(k.segments)];
    let seen = f.and(f.or(f.equal(qs, ks), f.equal(qs, 0)), f.greater(ks, 0));
    if (options.causal || options.window) {
      const [qp, kp] = [asQuery(q.positions), asKey(k.positions)];
      if (options.causal) seen = f.and(seen, f.not(f.greater(kp, qp)));
      if (options.window) {
        seen = f.and(seen, f.greater(kp, f.sub(qp, options.window)));
        if (!options.causal) seen = f.and(seen, f.greater(f.add(qp, options.window), kp));
      }
    }
    const own = f.where(seen, 0, MASKED_SCORE);
    const bias = prefix === 0 ? own : f.concat([inFront(own, asQuery(q.positions), prefix, options.window), own], 3);
    biases.set(key, bias);
    return bias;
  };
  // Keys in front stand at the first positions: all are seen, but for those that a window leaves behind.
  const inFront = (like: Value, positions: Value, prefix: number, window: number | undefined): Value => {
    const [batch, one, queries] = like.shape as [Dim, Dim, Dim];
    if (!window) return f.zeros(like, [batch, one, queries, prefix]);
    const keys = f.reshape(firstPositions(graph, prefix), [1, 1, 1, prefix]);
    return f.where(f.greater(keys, f.sub(positions, window)), 0, MASKED_SCORE);
  };

  // [batch, seq, heads, headDim] as [batch, heads, seq, headDim], and back.
  const byHead = (x: Value): Value => {
    const made = graph.producer(x);
    // There and back again is where it was.
    const before = made?.op === "Transpose" && `${(made as Node<"Transpose">).attrs.perm}` === `${HEADS_FIRST}`;
    return (before && made?.inputs[0]) || f.transpose(x, HEADS_FIRST);
  };

  // In generation, keys and values are kept place by place, so that those of one more place are written behind the others;
  // of the other side by head, as they are computed with, for they never change.
  const updateKeyValueCache = (
    k: Value,
    v: Value,
    { queries = "input", keys = "input" }: AttentionOptions,
  ): [Value, Value] => {
    if (options.phase === undefined || queries !== options.grows) return [k, v];
    const name = `${keys === queries ? "past" : CROSS_ATTENTION}.${calls++}`;
    const keep = (part: string, now: Value): Value => {
      const input = `${name}.${part}`;
      const [batch = 1, seq = 1, heads = 1, headDim = 1] = now.shape;
      if (keys !== queries) {
        if (options.phase === "decode") return byHead(graph.input(input, "float32", [batch, heads, seq, headDim]));
        kept.set(input, byHead(now));
        return byHead(byHead(now));
      }
      kept.set(input, f.transpose(now, PLACES_FIRST));
      if (options.phase === "prefill") return now;
      const past = graph.input(input, "float32", ["pastSeq", batch, heads, headDim]);
      const all = f.concat([f.transpose(past, PLACES_FIRST), now], 1);
      joined.set(all, [f.transpose(past, [1, 2, 0, 3]), byHead(now)]);
      return all;
    };
    return [keep("key", k), keep("value", v)];
  };

  // Keys or values by head, in the parts that they are stored in: those that are kept are read where they are.
  const partsOf = (x: Value): readonly Value[] => {
    const known = joined.get(x);
    if (known) return known;
    const made = graph.producer(x);
    const parts = made?.op === "Concat" && (made as Node<"Concat">).attrs.axis === 1
      ? made.inputs.flatMap((part) => (part ? [partsOf(part)] : []))
      : [];
    return parts.some((part) => part.length > 1) ? parts.flat() : [byHead(x)];
  };

  // Query heads that share a key head are folded into its rows, so that keys and values are never repeated.
  const scaledDotProductAttention = ({ path, q, k, v, prefix, options }: HookPoints["attention"]): Value => {
    const [batch = 1, queries = 1, heads, headDim] = q.shape;
    const kept = k.shape[2];
    if (typeof headDim !== "number" || typeof heads !== "number" || typeof kept !== "number") {
      throw missing("graph", "a fixed number and size of heads", path);
    }
    const group = heads / kept;
    if (!Number.isInteger(group)) throw badValue("graph", `${path}: key heads`, kept, `a divisor of ${heads}`);
    const bias = (): Value => attentionBias(options, prefix);
    const scale = options.scale ?? 1 / Math.sqrt(headDim);
    // Some queries over the keys that they may see, all by head.
    const over = (q: Value, k: readonly Value[], v: () => readonly Value[], bias: () => Value): Value => {
      const places = q.shape[2] ?? 1;
      const folded = (x: Value): Value =>
        group === 1 ? x : f.reshape(x, [batch, kept, mulDims(group, places), x.shape[3] ?? 1]);
      const unfolded = (x: Value): Value => group === 1 ? x : f.reshape(x, [batch, heads, places, x.shape[3] ?? 1]);
      const products = k.map((part) => f.product(folded(q), part, { alpha: scale, transB: true }));
      let scores = unfolded(f.concat(products, 3));
      if (options.softcap) scores = f.mul(f.tanh(f.div(scores, options.softcap)), options.softcap);
      if (options.bias) scores = f.add(scores, withFront(options, prefix, path));
      const probabilities = f.softmax(f.add(scores, bias()));
      attentions.push(probabilities);
      const shares = folded(attentionDropout(probabilities, options.dropout ?? 0, prefix));
      return unfolded(productOfParts(shares, v()));
    };
    const cuts = queryCuts(queries, options, prefix);
    let context = cuts
      ? f.concat(
        cuts.map((from, i) => {
          const to = cuts[i + 1] ?? null;
          const [seen, rows] = [(x: Value) => f.slice(x, 2, 0, to), (x: Value) => f.slice(x, 2, from, to)];
          return over(
            rows(byHead(q)),
            [seen(byHead(k))],
            () => [seen(byHead(v))],
            () => f.slice(rows(bias()), 3, 0, to),
          );
        }),
        2,
      )
      : over(byHead(q), partsOf(k), () => partsOf(v), bias);
    // Padding that is further from all tokens than a window reads nothing, as in torch: spans' distributions count it.
    if (options.window && !options.causal) {
      context = f.mul(context, f.cast(f.greater(f.max(bias(), 3, true), MASKED_SCORE / 2), "float32"));
    }
    return byHead(context); // [batch, seq, heads, headDim]
  };
  // Where long rows of causal attention are cut: a block of queries computes no scores of the keys behind it.
  const queryCuts = (queries: Dim, o: AttentionOptions, prefix: number): readonly Dim[] | undefined => {
    const blocks = options.queryBlocks ?? 1;
    const whole = blocks < 2 || !o.causal || o.bias || prefix > 0 || (draws && (o.dropout ?? 0) > 0) ||
      options.phase !== undefined || (o.queries ?? "input") !== (o.keys ?? "input");
    return whole ? undefined : splitDim(queries, blocks, QUERY_BLOCK);
  };

  // A tensor that a module shares with another: that one's, unless the two are told apart.
  const sharedName = (path: string, part: "weight" | "bias", source: string | undefined): string => {
    const own = `${path}.${part}`;
    if (source === undefined) return own;
    ties.set(own, source);
    const other = source.slice(0, source.lastIndexOf("."));
    const apart = options.untied?.includes(own) || attached.some((a) => a.copies?.(path) || a.copies?.(other));
    return apart ? own : source;
  };

  const linear = (path: string, x: Value, o: LinearOptions): Value => {
    linears.set(path, o);
    const inFeatures = x.shape.at(-1);
    if (typeof inFeatures !== "number") throw missing("graph", "a fixed input size", path);
    const { outFeatures } = o;
    const stored = parameter(
      sharedName(path, "weight", o.tied),
      o.conv1d ? [inFeatures, outFeatures] : [outFeatures, inFeatures],
      o.init,
    );
    const weight = o.conv1d ? f.transpose(stored) : stored; // [out, in]
    const bias = o.bias === false ? undefined : parameter(sharedName(path, "bias", o.tiedBias), [outFeatures], "zeros");
    return graph.within(
      path,
      () =>
        throughAdapters("linear", { path, x, weight, bias, inFeatures, outFeatures }, ({ x, weight, bias }) => {
          const producer = graph.producer(weight);
          const plainWeight = producer?.op === "Transpose" ? producer.inputs[0] : undefined;
          return plainWeight ? f.gemm(x, plainWeight, bias) : f.gemm(x, weight, bias, { transB: true });
        }),
    );
  };

  const embedding = (path: string, ids: Value, o: EmbeddingOptions): Value => {
    embeddings.set(path, o);
    const origin = graph.origin(ids);
    const table = { paddingIdx: o.paddingIdx, ids: origin?.kind === "input" ? origin.name : undefined };
    const weight = parameter(sharedName(path, "weight", o.tied), [o.numEmbeddings, o.embeddingDim], o.init, table);
    const { embeddingDim, scale = 1, side = "input" } = o;
    const call = { path, ids, weight, embeddingDim, scale, side };
    return graph.within(
      path,
      () =>
        throughAdapters(
          "embedding",
          call,
          ({ ids, weight }) => scaled(f.reshape(f.gather(weight, ids), [sizeOfShape(ids.shape), embeddingDim]), scale),
        ),
    );
  };

  const layer = (path: string, x: Value, body: (x: Value) => Value, also: readonly Value[] = []): Value => {
    const start = site;
    const around = ({ x }: HookPoints["layer"]): Value => graph.within(path, () => body(x));
    const run = (x: Value): Value => throughAdapters("layer", { path, x, hiddenSize: widthOf(x) }, around);
    const y = run(x);
    const output = options.checkpointing && mode === "train" ? recompute([x, ...also], y, start, run) : y;
    layers.push({ path, output });
    return output;
  };

  // The layer is built again from x when its gradient is wanted. A true dependency on the incoming gradient
  // (+ 0 · max dy) keeps the runtime from computing that copy early or finding it equal to the first one.
  const recompute = (from: readonly Value[], y: Value, start: number, run: (x: Value) => Value): Value => {
    const before = new Set(reachable(from));
    const inside = reachable([y]).filter((node) => !before.has(node));
    const x = from[0] as Value;
    const trained = [...parameters.values()].map((p) => p.value)
      .filter((v) => isTrained(v) && inside.some((node) => node.inputs.includes(v)));
    const inputs = [...from, ...trained];
    return graph.withVjp(inputs, [y], ([dy], needs) => {
      if (!dy) return inputs.map(() => undefined);
      const gated = f.add(x, f.mul(f.max(dy), 0));
      const end = site;
      const marks = [layers.length, attentions.length] as const;
      site = start;
      const again = run(gated);
      site = end;
      [layers.length, attentions.length] = marks;
      const wrt = inputs.map((v, i) => (i === 0 ? gated : v));
      return backward([again], [dy], wrt).map((g, i) => (needs[i] ? g.dense : undefined));
    }, true)[0] as Value;
  };
  const isTrained = (value: Value): boolean => {
    const origin = graph.origin(value);
    const p = origin?.kind === "parameter" ? parameters.get(origin.name) : undefined;
    return p !== undefined && trainsIn(p, options.isTrainable);
  };

  const shared = {
    mode,
    graph,
    stream,
    input: (name: string, dtype: Value["dtype"], shape: Shape): Value => graph.input(name, dtype, shape),
    given: (name: string): boolean => options.given?.includes(name) ?? false,
    labelled: (name: string): Value | undefined => {
      const at = labelPlaces(name);
      return options.targets[at] && graph.input(at, "int32", [countDim(at)]);
    },
    parameter: (
      name: string,
      shape: readonly number[],
      init?: Initializer,
      o: { readonly frozen?: boolean } = {},
    ): Value => parameter(name, shape, init, { frozen: o.frozen }),
    trainable: (): Named<Value> =>
      Object.fromEntries(
        [...parameters.values()].filter((p) => !p.regularizer && isTrained(p.value)).map((p) => [p.name, p.value]),
      ),
    dropout,
    noise,
    rows: (x: Value, index: Value): Value =>
      selectRows(x, index, (input, shape) => {
        const origin = graph.origin(input);
        const known = origin?.kind === "input" ? masks.get(origin.name) : undefined;
        const chosen = graph.origin(index);
        return known &&
          mask(`${known.name}@${chosen?.kind === "input" ? chosen.name : index.id}`, known.site, known.p, shape);
      }),
    layer,
  };
  let smoothed = false;
  const smoothing = (): number => {
    smoothed = true;
    return options.labelSmoothing;
  };
  const build: GraphBuilder = {
    ...shared,
    get labelSmoothing() {
      return smoothing();
    },
    linear,
    embedding,
    attention: (path, q, k, v, o = {}) =>
      graph.within(path, () => {
        const [keys, values] = updateKeyValueCache(k, v, o);
        return throughAdapters(
          "attention",
          { path, q, k: keys, v: values, prefix: 0, options: o },
          scaledDotProductAttention,
        );
      }),
    sublayer: (path, x, body, { residual = x, norm } = {}) => {
      const own = norm && { norm: (sum: Value): Value => asModel(() => norm(sum)) };
      return throughAdapters("sublayer", { path, x, hiddenSize: widthOf(x), residual, ...own }, ({ x }) => body(x));
    },
  };
  // What middleware builds with: the same context, its own seams plain.
  const plain: GraphBuilder = {
    ...shared,
    get labelSmoothing() {
      return smoothing();
    },
    linear: (path, x, o) => {
      const inFeatures = x.shape.at(-1) as number;
      const weight = parameter(`${path}.weight`, [o.outFeatures, inFeatures]);
      return f.gemm(x, weight, o.bias === false ? undefined : parameter(`${path}.bias`, [o.outFeatures], "zeros"), {
        transB: true,
      });
    },
    embedding: (path, ids, o) =>
      scaled(f.gather(parameter(`${path}.weight`, [o.numEmbeddings, o.embeddingDim]), ids), o.scale),
    attention: (path, q, k, v, o = {}) => scaledDotProductAttention({ path, q, k, v, prefix: 0, options: o }),
    sublayer: (_path, x, body) => body(x),
  };
  const inHead = <T>(f: () => T): T => {
    const outer = building;
    building = "head";
    try {
      return f();
    } finally {
      building = outer;
    }
  };
  return {
    build,
    recorded: {
      parameters,
      masks,
      linears,
      embeddings,
      ties,
      layers,
      attentions,
      keyValueCache: kept,
      smoothed: () => smoothed,
    },
    inHead,
    asRegularizer: (name, make) => inside(undefined, make, name),
    within: (adapter, make) => inside(adapter, () => make(plain)),
  };
}

function scaled(x: Value, by = 1): Value {
  return by === 1 ? x : f.mul(x, by);
}

/** A B where B is in parts, one below the other. */
function productOfParts(a: Value, parts: readonly Value[]): Value {
  if (parts.length === 1) return f.matmul(a, parts[0] as Value);
  let from: Dim = 0;
  return parts.map((part, i) => {
    const to: Dim = addDims(from, part.shape.at(-2) ?? 1);
    const columns = f.slice(a, -1, from, i === parts.length - 1 ? null : to);
    from = to;
    return f.matmul(columns, part);
  }).reduce((sum, own) => f.add(sum, own));
}

/** The last dim of hidden states, which is fixed. */
function widthOf(x: Value): number {
  const width = x.shape.at(-1);
  return typeof width === "number" ? width : 0;
}

/** Whether a parameter trains. */
export function trainsIn(p: Parameter, trains: BuildOptions["isTrainable"]): boolean {
  return p.regularizer || (!p.frozen && trains(p.unqualifiedName, p.adapter));
}

/** What an adapter's own parameter is called in a program. */
export function qualifyName(adapter: AttachedAdapter | undefined, name: string): string {
  return adapter?.name === undefined ? name : `${adapter.name}/${name}`;
}

/** A bias of scores with that of the keys in front. */
function withFront({ bias, prefixBias: biasInFront }: AttentionOptions, prefix: number, path: string): Value {
  if (!bias) throw missing("graph", "a bias", path);
  if (prefix === 0) return bias;
  if (!biasInFront) throw unsupported("graph", path, "a prefix", "its bias of keys leaves none in front");
  const front = biasInFront(firstPositions(bias.graph, prefix));
  const [batch = 1, heads = 1, queries = 1] = [1, ...front.shape].slice(-4);
  // The two parts are of one shape but for the keys.
  const own = bias.shape.length === 4 ? bias : f.reshape(bias, [1, ...bias.shape]);
  const shaped = f.expand(own, [batch, heads, queries, own.shape[3] ?? 1]);
  return f.concat([front, shaped], 3);
}

/** 0, 1, 2, ... as positions of keys. */
function firstPositions(graph: Graph, count: number): Value {
  return graph.constant({ dtype: "int32", dims: [count], data: Int32Array.from({ length: count }, (_, i) => i) });
}

/** The input that says where labels are. */
export function labelPlaces(name: string): string {
  return `${name}.at`;
}

/** The dim that counts the values of an input of places. */
export function countDim(places: string): string {
  return `${places}.count`;
}

/** A scalar of the graph that the host feeds: a loss's factor. */
export function scalarInput(graph: Graph, name: string): Value {
  return graph.input(name, "float32", []);
}

/** The constant zero, for sums that start empty. */
export function zero(graph: Graph): Value {
  return graph.constant(f32([], [0]));
}
