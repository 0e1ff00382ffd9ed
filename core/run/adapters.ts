/**
 * Several named adapters over one opened model: which is active may change with every request.
 *
 * Adapters are inputs of the graph, not part of it. Those of one kind and the same sizes therefore share a session, and
 * the base's weights are there once for each kind.
 * @module
 */
import { Graph } from "../graph/graph.ts";
import { createBuild, ownName, type Parameter } from "../engine/build.ts";
import { type BatchResult, createEvaluator, type Evaluator } from "../engine/evaluator.ts";
import { createFeeder } from "../engine/feeds.ts";
import { initialWeights } from "../engine/weights.ts";
import { AttuneError, badValue, unknownName } from "../errors.ts";
import { createRandom } from "../random.ts";
import type {
  Attached,
  Batch,
  Checkpoint,
  Host,
  Json,
  Layout,
  Named,
  OrtTensor,
  Row,
  Run,
  Tensor,
  Use,
} from "../types.ts";
import { batchesInOrder, encodeRows } from "./data.ts";
import { predictionsReader } from "../loop/rows.ts";
import { generated, predictions } from "./infer.ts";
import { mergedTensor } from "./merged.ts";
import { attachedTo, type OpenRun, openRun, withAttached } from "./open.ts";

/** One adapter's name, or several that are stacked, in order; none: the base. */
export type Stack = string | readonly string[];

/** Named adapters over a model. Methods throw AttuneError where a name is unknown. */
export interface AdapterSet {
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
  layout(stack?: Stack): Layout;
  run(batch: Batch, stack?: Stack): Promise<BatchResult>;
  /** One prediction per row, in order. */
  predict(rows: Iterable<Row> | AsyncIterable<Row>, stack?: Stack): AsyncIterable<Named<Json>>;
  close(): Promise<void>;
}

type Loaded = Readonly<{ attached: Attached; tensors: ReadonlyMap<string, Tensor<Float32Array>>; kind: string }>;

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
export async function openAdapters(run: Run, host: Host): Promise<AdapterSet> {
  const { lib } = host;
  if (!lib) {
    throw new AttuneError("This host has no onnxruntime: pass one as host.lib", {
      code: "NO_RUNTIME",
      plugin: "engine",
    });
  }
  const base = await openRun({ ...run, adapters: [] }, host);
  const loaded = new Map<string, Loaded>();
  const known = new Map<string, Stacked>();
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
    return withAttached({ ...base, checkpoint: overlaid(base.checkpoint, merged) }, attached);
  };
  const stackedOf = (members: readonly Loaded[]): Stacked => {
    const kind = members.map((m) => m.kind).join("\n");
    const found = known.get(kind);
    if (found) return found;
    const open = openOf(members);
    const feeds = [...parametersOf(open).keys()].flatMap((parameter) => {
      for (let place = members.length - 1; place >= 0; place--) {
        const own = open.attached[place];
        for (const name of members[place]?.tensors.keys() ?? []) {
          if (name === parameter || ownName(own, name) === parameter) return [{ parameter, place, name }];
        }
      }
      return [];
    });
    const random = createRandom(run.training.seed);
    const evaluator = createEvaluator({
      ...open,
      initial: initialWeights(open.checkpoint, open.attached, open.trunk.baseModelPrefix, random),
      fed: new Map(feeds.map((f) => [f.parameter, {}])),
      weights: {},
      feeder,
      reads: open.task.reads,
      labelSmoothing: 0,
    });
    const made = { evaluator, feeds };
    known.set(kind, made);
    return made;
  };
  const weightsOf = (members: readonly Loaded[]): Record<string, OrtTensor> => {
    const weights: Record<string, OrtTensor> = {};
    for (const { parameter, place, name } of stackedOf(members).feeds) {
      const tensor = members[place]?.tensors.get(name);
      if (tensor) weights[parameter] = new lib.Tensor("float32", tensor.data, tensor.dims);
    }
    return weights;
  };
  const run_ = async (batch: Batch, members: readonly Loaded[]): Promise<BatchResult> =>
    await stackedOf(members).evaluator.run(batch, false, weightsOf(members));
  const closeSessions = async (): Promise<void> => {
    for (const { evaluator } of known.values()) await evaluator.close();
    known.clear();
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
      const attached = await attachedTo(base, run.use("adapter", adapter));
      if (!attached.weights) throw badValue("adapters", name, adapter, "a saved adapter: one with `from`");
      const tensors = new Map<string, Tensor<Float32Array>>();
      for (const own of attached.weights.names) tensors.set(own, await attached.weights.read(own));
      const shapes = [...tensors].map(([own, { dims }]) => [own, dims]);
      loaded.set(name, { attached, tensors, kind: JSON.stringify([attached.peft?.config ?? name, shapes]) });
    },
    activate: (stack) => {
      const names = typeof stack === "string" ? [stack] : [...stack];
      names.forEach(find);
      active = names;
    },
    delete: async (name) => {
      const { kind } = find(name);
      loaded.delete(name);
      active = active.filter((other) => other !== name);
      // Sessions that no remaining adapter can use.
      for (const [key, { evaluator }] of known) {
        if (key.split("\n").every((k) => k === "" || [...loaded.values()].some((l) => l.kind === k))) continue;
        if (!key.split("\n").includes(kind)) continue;
        known.delete(key);
        await evaluator.close();
      }
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
      const { weights } = open.checkpoint;
      const initial = initialWeights(open.checkpoint, [], open.trunk.baseModelPrefix, createRandom(run.training.seed));
      const result = new Map(merged);
      for (const p of parametersOf(open).values()) {
        if (p.adapter) continue;
        const whole = members.findLast((m) => m.tensors.has(p.name))?.tensors.get(p.name);
        const stored = initial.nameInCheckpoint(p);
        if (whole) result.set(p.name, whole);
        else if (stored !== undefined) {
          const value = await weights.read(stored);
          const folded = mergedTensor(p.name, value, { trunk: open.trunk, attached: open.attached, own });
          if (folded !== value) result.set(p.name, folded);
        }
      }
      await closeSessions();
      merged = result;
    },
    unmerge: async () => {
      await closeSessions();
      merged = new Map();
    },
    layout: (stack) => openOf(membersOf(stack)).layout,
    run: (batch, stack) => run_(batch, membersOf(stack)),
    predict: async function* (rows, stack) {
      const members = membersOf(stack);
      const open = openOf(members);
      const read = async function* () {
        let at = 0;
        for await (const row of rows) yield { row, next: { at: ++at } };
      };
      const dataset = {
        kind: "dataset",
        name: "rows",
        options: {},
        open: async () => ({ fingerprint: "", read }),
      } as const;
      const { samples } = await encodeRows(open, dataset, false);
      if (open.task.generate) {
        const { first, next } = stackedOf(members).evaluator.generator();
        const weights = weightsOf(members);
        yield* generated(open, { first: (batch) => first(batch, weights), next }, samples);
        return;
      }
      const reader = predictionsReader(open.task, open.tokenizer);
      for (const batch of batchesInOrder(samples, run.training.perDeviceEvalBatchSize, open.layout)) {
        yield* predictions(open, reader, (await run_(batch, members)).outputs, batch);
      }
      yield* reader.end();
    },
    close: closeSessions,
  };
}

/** What a run's model and head ask for, by name. */
function parametersOf({ trunk, attached, heads }: OpenRun): ReadonlyMap<string, Parameter> {
  const { build, recorded } = createBuild({
    graph: new Graph(),
    mode: "evaluate",
    attached,
    initializerRange: trunk.initializerRange,
    labelSmoothing: 0,
    checkpointing: false,
    targets: {},
    trains: () => false,
  });
  const states = trunk.forward(build);
  for (const head of heads) head.forward(build, states, trunk);
  return recorded.parameters;
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
      locate: (name) => (tensors.has(name) ? undefined : weights.locate(name)),
    },
  };
}
