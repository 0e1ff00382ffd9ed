/**
 * Several named adapters over one opened model: which is active may change with every request.
 *
 * Adapters are inputs of the graph, not part of it. Those of one kind and the same sizes therefore share a session, and
 * the base's weights are there once for each kind.
 * @module
 */
import { reachable } from "../graph/graph.ts";
import { print } from "../graph/print.ts";
import { qualifyName } from "../engine/builder/parameters.ts";
import { type BatchResult, createEvaluator, type Evaluator } from "../engine/evaluator.ts";
import { createFeeder } from "../engine/feeds.ts";
import { checkDims, initialWeights } from "../engine/weights.ts";
import { AttuneError, badFile, badValue, missing, unknownName } from "../errors.ts";
import { sha256 } from "../fingerprint.ts";
import { createRandom } from "../random.ts";
import type {
  AttachedAdapter,
  Batch,
  BatchLayout,
  Checkpoint,
  Host,
  Json,
  Named,
  OrtTensor,
  Row,
  Run,
  Sample,
  Tensor,
  Use,
  Weights,
} from "../types.ts";
import { createMutex, type Turn } from "../mutex.ts";
import { batchesInOrder, batchesOfTokens, encodeRows } from "./data.ts";
import { predictionsReader } from "../loop/rows.ts";
import { packingRoom } from "./memory.ts";
import { predictions } from "./infer.ts";
import { inspectBuilt } from "./built.ts";
import { checkSaved } from "./complete.ts";
import { canFoldApart, foldAdapters } from "./fold.ts";
import { attachAdapter, type OpenRun, openRun, replaceAdapters } from "./open.ts";

/** So many kinds of adapters find room for packed weights, each its own. */
const PACKED_KINDS = 4;

/** One adapter's name, or several that are stacked, in order; none: the base. */
export type Stack = string | readonly string[];

/** Named adapters over a model. Methods throw AttuneError where a name is unknown. */
export interface AdapterPool {
  readonly names: readonly string[];
  /** What requests use that name no adapter. */
  readonly active: readonly string[];
  /** How many sessions are open. */
  readonly sessions: number;
  /** Loads a saved adapter under a name: `{ use: "lora", with: { from: "./adapter" } }`. */
  add(name: string, adapter: Use<"adapter">): Promise<void>;
  activate(stack: Stack): void;
  delete(name: string): Promise<void>;
  /** Folds adapters into the base's weights, until `unmerge`. */
  merge(stack?: Stack): Promise<void>;
  /** Puts the base's own weights back. */
  unmerge(): Promise<void>;
  /** How batches for a stack are laid out. */
  layout(stack?: Stack): BatchLayout;
  /** Names of parameters that neither the model nor a stack has values for: they would be random. */
  fresh(stack?: Stack): readonly string[];
  run(batch: Batch, stack?: Stack): Promise<BatchResult>;
  /** Rows as samples, as long as a stack leaves room for. */
  encode(rows: Iterable<Row> | AsyncIterable<Row>, stack?: Stack): Promise<readonly Sample[]>;
  /** One prediction per row, in order. */
  predict(rows: Iterable<Row> | AsyncIterable<Row>, stack?: Stack): AsyncIterable<Named<Json>>;
  /** The same of rows that are samples already. */
  predictSamples(samples: readonly Sample[], stack?: Stack): AsyncIterable<Named<Json>>;
  close(): Promise<void>;
}

/** How a set computes. */
export type AdapterSetOptions = Readonly<{
  /** Sessions that may be open at once; the one that was not used the longest is closed. Absent: any number. */
  maxSessions?: number;
  /** Places of one batch; absent: as many rows as `perDeviceEvalBatchSize` says. */
  batchTokens?: number;
  /** Whose turn it is to compute, where several sets share what computes. */
  turn?: Turn;
}>;

type Loaded = Readonly<{ attached: AttachedAdapter; tensors: ReadonlyMap<string, Tensor<Float32Array>>; kind: string }>;

/** A program over a stack. `feeds`: its parameters that come from adapters' files, with the adapter's place. */
type Stacked = Readonly<{
  evaluator: Evaluator;
  feeds: readonly Readonly<{ parameter: string; place: number; name: string }>[];
}>;

/**
 * Opens a run's model without adapters, to which named ones are added.
 *
 * @throws AttuneError where the host has no onnxruntime, or a part is missing.
 */
export async function openAdapterPool(run: Run, host: Host, options: AdapterSetOptions = {}): Promise<AdapterPool> {
  const { lib } = host;
  if (!lib) {
    throw new AttuneError("This host has no onnxruntime: pass one as host.lib", {
      code: "NO_RUNTIME",
      plugin: "engine",
    });
  }
  const { maxSessions = Infinity, batchTokens, turn = createMutex() } = options;
  const base = await openRun({ ...run, adapters: [] }, host);
  const loaded = new Map<string, Loaded>();
  const known = new Map<string, Stacked>();
  const drawn = new Map<string, readonly string[]>();
  const feeder = createFeeder(lib, new Map(), host.kernels);
  let active: readonly string[] = [];
  let merged: ReadonlyMap<string, Tensor<Float32Array>> = new Map();

  const find = (name: string): Loaded => {
    const found = loaded.get(name);
    if (!found) throw unknownName("adapters", "adapter", "adapter", name, [...loaded.keys()]);
    return found;
  };
  const membersOf = (stack: Stack = active): readonly Loaded[] =>
    (typeof stack === "string" ? [stack] : stack).map(find);
  const openOf = (members: readonly Loaded[]): OpenRun => {
    // A place in the stack is the name, so that every stack of these kinds is one program.
    const attached = members.map(({ attached }, i) => ({
      ...attached,
      weights: undefined,
      name: members.length > 1 ? String(i) : undefined,
    }));
    const { backbone } = base;
    const untied = [...backbone.untied ?? [], ...Object.keys(backbone.ties).filter((name) => merged.has(name))];
    return replaceAdapters(
      { ...base, backbone: { ...backbone, untied }, checkpoint: overlaid(base.checkpoint, merged) },
      attached,
    );
  };
  // Only in a turn: what is closed is used by nobody then.
  const stackedOf = async (members: readonly Loaded[]): Promise<Stacked> => {
    const kind = members.map((m) => m.kind).join("\n");
    const found = known.get(kind);
    known.delete(kind);
    if (found) {
      known.set(kind, found);
      return found;
    }
    while (known.size >= maxSessions) {
      const [oldest] = known;
      if (!oldest) break;
      known.delete(oldest[0]);
      await oldest[1].evaluator.close();
    }
    const open = openOf(members);
    const feeds = [...inspectBuilt(open).parameters.keys()].flatMap((parameter) => {
      for (let place = members.length - 1; place >= 0; place--) {
        const own = open.attached[place];
        for (const name of members[place]?.tensors.keys() ?? []) {
          const names = [name, `${open.backbone.baseModelPrefix}.${name}`];
          if (names.some((n) => n === parameter || qualifyName(own, n) === parameter)) {
            return [{ parameter, place, name }];
          }
        }
      }
      return [];
    });
    const random = createRandom(run.training.seed);
    const evaluator = createEvaluator({
      ...open,
      initial: initialWeights(open.checkpoint, open.attached, open.backbone, random),
      fed: new Map(feeds.map((f) => [f.parameter, {}])),
      weights: {},
      feeder,
      reads: open.task.evaluationOutputs,
      labelSmoothing: 0,
      prepackLimit: packingRoom(run.training, host) / PACKED_KINDS,
    });
    const made = { evaluator, feeds };
    known.set(kind, made);
    return made;
  };
  const weightsOf = ({ feeds }: Stacked, members: readonly Loaded[]): Record<string, OrtTensor> => {
    const weights: Record<string, OrtTensor> = {};
    for (const { parameter, place, name } of feeds) {
      const tensor = members[place]?.tensors.get(name);
      if (tensor) weights[parameter] = new lib.Tensor("float32", tensor.data, tensor.dims);
    }
    return weights;
  };
  const runBatch = (batch: Batch, members: readonly Loaded[]): Promise<BatchResult> =>
    turn(async () => {
      const stacked = await stackedOf(members);
      return await stacked.evaluator.run(batch, false, weightsOf(stacked, members));
    });
  const closeSessions = (): Promise<void> =>
    turn(async () => {
      for (const { evaluator } of known.values()) await evaluator.close();
      known.clear();
    });
  const encode = async (
    rows: Iterable<Row> | AsyncIterable<Row>,
    members: readonly Loaded[],
  ): Promise<readonly Sample[]> => {
    const read = async function* () {
      let at = 0;
      for await (const row of rows) yield { row, next: { at: ++at } };
    };
    const open = async () => ({ fingerprint: "", read });
    const dataset = { kind: "data", name: "rows", options: {}, open } as const;
    return (await encodeRows(openOf(members), dataset, false)).samples;
  };
  const predict = async function* (
    samples: readonly Sample[],
    members: readonly Loaded[],
  ): AsyncIterable<Named<Json>> {
    const open = openOf(members);
    if (open.task.generate) {
      yield* await turn(async () => {
        const stacked = await stackedOf(members);
        const { prefill, decode } = await stacked.evaluator.generator();
        const weights = weightsOf(stacked, members);
        const found: Named<Json>[] = [];
        const { generateRows } = await import("./generate.ts");
        const generator = { prefill: (batch: Batch) => prefill(batch, weights), decode };
        for await (const prediction of generateRows(open, generator, samples)) found.push(prediction);
        return found;
      });
      return;
    }
    const reader = predictionsReader(open.task, open.tokenizer);
    const batches = batchTokens === undefined
      ? batchesInOrder(samples, run.training.perDeviceEvalBatchSize, open.layout)
      : batchesOfTokens(samples, batchTokens, open.layout);
    for (const batch of batches) yield* predictions(open, reader, (await runBatch(batch, members)).outputs, batch);
    yield* reader.end();
  };

  return {
    get names() {
      return [...loaded.keys()];
    },
    get active() {
      return active;
    },
    get sessions() {
      return known.size;
    },
    add: async (name, adapter) => {
      if (loaded.has(name)) throw badValue("adapters", "name", name, "a name that is not taken");
      const attached = await attachAdapter(base, run.use("adapter", adapter));
      if (!attached.weights) throw badValue("adapters", name, adapter, "a saved adapter: one with `from`");
      const tensors = new Map<string, Tensor<Float32Array>>();
      for (const own of attached.weights.names) tensors.set(own, await attached.weights.read(own));
      loaded.set(name, { attached, tensors, kind: await kindOf(base, attached, tensors, name) });
    },
    activate: (stack) => {
      const names = typeof stack === "string" ? [stack] : [...stack];
      names.forEach(find);
      active = names;
    },
    delete: async (name) => {
      const { kind } = find(name);
      loaded.delete(name);
      for (const key of drawn.keys()) if (key.split("\n").includes(kind)) drawn.delete(key);
      active = active.filter((other) => other !== name);
      // Sessions that no remaining adapter can use.
      await turn(async () => {
        for (const [key, { evaluator }] of known) {
          if (key.split("\n").every((k) => k === "" || [...loaded.values()].some((l) => l.kind === k))) continue;
          if (!key.split("\n").includes(kind)) continue;
          known.delete(key);
          await evaluator.close();
        }
      });
    },
    merge: async (stack) => {
      const members = membersOf(stack);
      const open = openOf(members);
      const own = (name: string): Tensor<Float32Array> => {
        const place = members.findIndex((_, i) => open.attached[i]?.name !== undefined && name.startsWith(`${i}/`));
        const tensor = members[Math.max(0, place)]?.tensors.get(place < 0 ? name : name.slice(`${place}/`.length));
        if (!tensor) throw badValue("adapters", "merge", name, "an adapter whose file has all that it is made of");
        return tensor;
      };
      const initial = initialWeights(open.checkpoint, [], open.backbone, createRandom(run.training.seed));
      const result = new Map(merged);
      const { parameters } = inspectBuilt(open);
      const options = { backbone: open.backbone, attached: open.attached, own };
      // A file may have a module's own weight beside what adapts it.
      const wholeOf = (name: string): Tensor<Float32Array> | undefined =>
        members.findLast((m) => m.tensors.has(name))?.tensors.get(name);
      for (const p of parameters.values()) {
        const whole = wholeOf(p.name);
        if (p.adapter || (!whole && initial.isNew(p))) continue;
        const value = whole ?? await initial.read(p);
        const folded = foldAdapters(p.name, value, options);
        // A copy of what is shared is another tensor once the adapter is gone.
        if (whole || folded !== value || p.name in open.backbone.ties) result.set(p.name, folded);
      }
      // What modules share is told apart where folding gives them other values.
      const read = async (name: string): Promise<Tensor<Float32Array>> => {
        const p = parameters.get(name);
        if (!p) throw new RangeError(`No parameter "${name}"`);
        return wholeOf(name) ?? await initial.read(p);
      };
      const shared = Object.entries(open.backbone.ties).filter(([name, from]) =>
        !parameters.has(name) && parameters.has(from)
      );
      if (await canFoldApart(shared, read, options)) {
        for (const [name, from] of shared) result.set(name, foldAdapters(name, await read(from), options));
      }
      await closeSessions();
      drawn.clear();
      merged = result;
    },
    unmerge: async () => {
      await closeSessions();
      drawn.clear();
      merged = new Map();
    },
    layout: (stack) => openOf(membersOf(stack)).layout,
    fresh: (stack) => {
      const members = membersOf(stack);
      // Of the same kinds the same names are there, and no graph need be built to know it.
      const kind = members.map((m) => m.kind).join("\n");
      const before = drawn.get(kind);
      if (before) return before;
      const open = openOf(members);
      const weights = members.map(({ attached, tensors }) => ({ ...attached, weights: weightsInMemory(tensors) }));
      const random = createRandom(run.training.seed);
      const initial = initialWeights(open.checkpoint, weights, open.backbone, random);
      const names = [...inspectBuilt(open).parameters.values()].filter((p) => !p.adapter && initial.isNew(p))
        .map((p) => p.name);
      drawn.set(kind, names);
      return names;
    },
    run: (batch, stack) => runBatch(batch, membersOf(stack)),
    encode: (rows, stack) => encode(rows, membersOf(stack)),
    predict: async function* (rows, stack) {
      const members = membersOf(stack);
      yield* predict(await encode(rows, members), members);
    },
    predictSamples: (samples, stack) => predict(samples, membersOf(stack)),
    close: closeSessions,
  };
}

/**
 * What decides which adapters can share a session: all that is computed but the values that are fed.
 *
 * @throws AttuneError where an adapter is of another model: tensors of other dims, or of layers that are not there.
 */
async function kindOf(
  base: OpenRun,
  attached: AttachedAdapter,
  tensors: ReadonlyMap<string, Tensor<Float32Array>>,
  name: string,
): Promise<string> {
  const open = replaceAdapters(base, [{ ...attached, weights: undefined, name: undefined }]);
  const { graph, parameters } = inspectBuilt(open);
  const own = new Set<string>();
  for (const [key, { dims }] of tensors) {
    const p = parameters.get(key) ?? parameters.get(`${base.backbone.baseModelPrefix}.${key}`);
    if (p) checkDims(p, dims, `adapter "${name}"`);
    if (p) own.add(p.name);
  }
  checkSaved(open, { ...attached, weights: { ...weightsInMemory(tensors), label: name }, name: undefined }, [
    ...parameters.values(),
  ]);
  if (own.size === 0) throw badFile("adapters", name, `has no tensor that ${base.checkpoint.label} has a place for`);
  const constants = reachable([...graph.outputs.values()]).flatMap(({ inputs }) =>
    inputs.flatMap((value) => {
      const origin = value && graph.origin(value);
      return origin?.kind === "constant" && origin.tensor.data.length > 1 ? [`${origin.tensor.data}`] : [];
    })
  );
  // What is not fed is drawn, as the adapter's config says.
  const drawn = [...parameters.values()].some((p) => p.adapter && !own.has(p.name));
  const fed = [...own].sort();
  const config = drawn ? JSON.stringify(attached.peft?.config ?? name) : "";
  return await sha256([print(graph), ...constants, ...fed, config].join("\n"));
}

/** Tensors in memory as weights. */
function weightsInMemory(tensors: ReadonlyMap<string, Tensor<Float32Array>>): Weights {
  return {
    names: [...tensors.keys()],
    read: async (name) => tensors.get(name) ?? await Promise.reject(missing("adapters", name, "the adapter")),
    locate: () => undefined,
  };
}

/** A checkpoint with some tensors in place of its own. */
function overlaid(checkpoint: Checkpoint, tensors: ReadonlyMap<string, Tensor<Float32Array>>): Checkpoint {
  if (tensors.size === 0) return checkpoint;
  const { weights } = checkpoint;
  return {
    ...checkpoint,
    weights: {
      ...weights,
      names: [...new Set([...weights.names, ...tensors.keys()])],
      read: async (name) => tensors.get(name) ?? await weights.read(name),
      quantized: async (name) => (tensors.has(name) ? undefined : await weights.quantized?.(name)),
      locate: (name) => (tensors.has(name) ? undefined : weights.locate(name)),
    },
  };
}
