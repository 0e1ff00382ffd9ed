/**
 * Several named adapters over one opened model; each request may use other adapters.
 *
 * Adapters are inputs of the graph, not part of it. Adapters of the same kind and sizes therefore share a session, and
 * the base's weights are in memory once for each kind.
 */
import { inspect } from "../engine/inspect.ts";
import type { BatchResult } from "../engine/evaluator.ts";
import { createFeeder } from "../engine/feeds.ts";
import { initialWeights } from "../engine/weights.ts";
import { badValue, unknownName } from "../base/errors.ts";
import { createMutex, type Turn } from "../base/mutex.ts";
import { createRandom } from "../math/random.ts";
import { noRows } from "../data/no_rows.ts";
import { batchesInOrder, batchesOfTokens } from "../run/rows/ordered_batches.ts";
import { createRowEncoder } from "../run/rows/encoding.ts";
import { ortOf, predictSamples } from "../run/evaluate/infer.ts";
import { packingRoom } from "../run/open/memory.ts";
import { type OpenRun, openRun } from "../run/open/open.ts";
import type { Batch, BatchLayout, Host, Json, Named, Ort, Row, Run, Sample, Use } from "../types.ts";
import { foldStack } from "./fold_stack.ts";
import {
  kindOfStack,
  kindsOf,
  loadAdapter,
  type LoadedAdapter,
  openStack,
  type Tensors,
  weightsInMemory,
} from "./loaded_adapter.ts";
import { createSessionPool } from "./session_pool.ts";
import { createStackSession, type StackSession } from "./stack_session.ts";

/** Number of adapter kinds among which the room for packed weights is divided. */
const PACKED_KINDS = 4;

/** One adapter's name, or the names of several stacked adapters, in order; an empty list is the base. */
export type Stack = string | readonly string[];

/** Named adapters over a model. Methods throw AttuneError if a name is unknown. */
export interface AdapterPool {
  readonly names: readonly string[];
  /** The adapters of requests that do not name a stack. */
  readonly active: readonly string[];
  /** Number of open sessions. */
  readonly sessions: number;
  /** Loads a saved adapter under a name: `{ use: "lora", with: { from: "./adapter" } }`. */
  add(name: string, adapter: Use<"adapter">): Promise<void>;
  activate(stack: Stack): void;
  delete(name: string): Promise<void>;
  /** Merges adapters into the base's weights, until `unmerge`. */
  merge(stack?: Stack): Promise<void>;
  /** Restores the base's own weights. */
  unmerge(): Promise<void>;
  /** Returns the layout of batches for a stack. */
  layout(stack?: Stack): BatchLayout;
  /** Returns the names of parameters that have no value in the model or a stack, and would be random. */
  fresh(stack?: Stack): readonly string[];
  run(batch: Batch, stack?: Stack): Promise<BatchResult>;
  /** Encodes rows as samples, limited to the length that a stack leaves room for. */
  encode(rows: Iterable<Row> | AsyncIterable<Row>, stack?: Stack): Promise<readonly Sample[]>;
  /** Yields one prediction per row, in order. */
  predict(rows: Iterable<Row> | AsyncIterable<Row>, stack?: Stack): AsyncIterable<Named<Json>>;
  /** Like `predict`, for rows that are already encoded. */
  predictSamples(samples: readonly Sample[], stack?: Stack): AsyncIterable<Named<Json>>;
  close(): Promise<void>;
}

/** Options of an adapter pool. */
export type AdapterSetOptions = Readonly<{
  /** Maximum number of open sessions; the least recently used one is closed. Absent: no limit. */
  maxSessions?: number;
  /** Maximum padded positions of a batch; absent: batches have `perDeviceEvalBatchSize` rows. */
  batchTokens?: number;
  /** Serializes computation, for several pools that share a processor. */
  turn?: Turn;
}>;

/** State of a pool: adapters over an opened model, some of whose tensors are replaced by `merged`. */
type PoolState = {
  readonly base: OpenRun;
  readonly adapters: Map<string, LoadedAdapter>;
  active: readonly string[];
  merged: Tensors;
  /** Parameters without values, by the kind of a stack. */
  readonly fresh: Map<string, readonly string[]>;
};

/**
 * Opens a run's model without its adapters, as a pool to which named adapters can be added.
 *
 * @throws AttuneError if the host has no onnxruntime, or a part of the run is missing.
 */
export async function openAdapterPool(run: Run, host: Host, options: AdapterSetOptions = {}): Promise<AdapterPool> {
  const lib = ortOf(host);
  const state: PoolState = {
    base: await openRun({ ...run, adapters: [] }, host),
    adapters: new Map(),
    active: [],
    merged: new Map(),
    fresh: new Map(),
  };
  const computer = createComputer(state, lib, host, options);
  const { predict } = computer;
  const reset = async (merged: Tensors): Promise<void> => {
    await computer.close(() => true);
    state.fresh.clear();
    state.merged = merged;
  };
  const openOf = (members: readonly LoadedAdapter[]): OpenRun => openStack(state.base, members, state.merged);
  return {
    get names() {
      return [...state.adapters.keys()];
    },
    get active() {
      return state.active;
    },
    get sessions() {
      return computer.sessions;
    },
    add: async (name, adapter) => {
      if (state.adapters.has(name)) throw badValue("adapters", "name", name, "an unused name");
      state.adapters.set(name, await loadAdapter(state.base, name, adapter));
    },
    activate: (stack) => {
      const names = typeof stack === "string" ? [stack] : [...stack];
      membersOf(state, names);
      state.active = names;
    },
    delete: async (name) => {
      const { kind } = findAdapter(state, name);
      state.adapters.delete(name);
      for (const key of state.fresh.keys()) if (kindsOf(key).includes(kind)) state.fresh.delete(key);
      state.active = state.active.filter((other) => other !== name);
      // Closes sessions that no remaining adapter can use.
      const isUsable = (kind: string): boolean =>
        kind === "" || [...state.adapters.values()].some((other) => other.kind === kind);
      await computer.close((key) => kindsOf(key).includes(kind) && !kindsOf(key).every(isUsable));
    },
    merge: async (stack) => {
      const members = membersOf(state, stack);
      const before = state.merged;
      await reset(new Map([...before, ...await foldStack(openOf(members), members)]));
    },
    unmerge: () => reset(new Map()),
    layout: (stack) => openOf(membersOf(state, stack)).layout,
    fresh: (stack) => freshOf(state, membersOf(state, stack)),
    run: (batch, stack) => computer.run(batch, membersOf(state, stack)),
    encode: (rows, stack) => encodeFor(openOf(membersOf(state, stack)), rows),
    predict: async function* (rows, stack) {
      const members = membersOf(state, stack);
      yield* predict(await encodeFor(openOf(members), rows), members);
    },
    predictSamples: (samples, stack) => predict(samples, membersOf(state, stack)),
    close: () => computer.close(() => true),
  };
}

/** What computes with stacks: sessions, one at a time. */
type Computer = Readonly<{
  readonly sessions: number;
  run(batch: Batch, members: readonly LoadedAdapter[]): Promise<BatchResult>;
  predict(samples: readonly Sample[], members: readonly LoadedAdapter[]): AsyncIterable<Named<Json>>;
  /** Closes the sessions of stacks whose kind passes a test. */
  close(test: (kind: string) => boolean): Promise<void>;
}>;

function createComputer(state: PoolState, lib: Ort, host: Host, options: AdapterSetOptions): Computer {
  const { maxSessions = Infinity, batchTokens, turn = createMutex() } = options;
  const { training } = state.base.run;
  const feeder = createFeeder(lib, new Map(), host.kernels);
  const sessions = createSessionPool<StackSession>(maxSessions);
  // Only called within a turn, so that no other request uses a session that is closed.
  const sessionOf = (members: readonly LoadedAdapter[]): Promise<StackSession> =>
    sessions.use(kindOfStack(members), async () => {
      const prepackLimit = packingRoom(training, host) / PACKED_KINDS;
      return createStackSession(openStack(state.base, members, state.merged), members, { lib, feeder, prepackLimit });
    });
  const run: Computer["run"] = (batch, members) =>
    turn(async () => await (await sessionOf(members)).run(batch, members));
  return {
    get sessions() {
      return sessions.size;
    },
    run,
    predict: async function* (samples, members) {
      const open = openStack(state.base, members, state.merged);
      if (open.task.generate) {
        yield* await turn(async () => {
          const generator = await (await sessionOf(members)).generator(members);
          const predictions: Named<Json>[] = [];
          const { generateRows } = await import("../run/evaluate/generate.ts");
          for await (const prediction of generateRows(open, generator, samples)) predictions.push(prediction);
          return predictions;
        });
        return;
      }
      const batches = batchTokens === undefined
        ? batchesInOrder(samples, training.perDeviceEvalBatchSize, open.layout)
        : batchesOfTokens(samples, batchTokens, open.layout);
      yield* predictSamples(open, batches, async (batch) => (await run(batch, members)).outputs);
    },
    close: (test) => turn(() => sessions.close(test)),
  };
}

function findAdapter({ adapters }: PoolState, name: string): LoadedAdapter {
  const adapter = adapters.get(name);
  if (!adapter) throw unknownName("adapters", "adapter", "adapter", name, [...adapters.keys()]);
  return adapter;
}

function membersOf(state: PoolState, stack: Stack = state.active): readonly LoadedAdapter[] {
  return (typeof stack === "string" ? [stack] : stack).map((name) => findAdapter(state, name));
}

/** Returns the names of parameters that have no value in the model or a stack. */
function freshOf({ base, merged, fresh }: PoolState, members: readonly LoadedAdapter[]): readonly string[] {
  // Stacks of the same kind lack the same parameters, so their graph is built only once.
  const kind = kindOfStack(members);
  const before = fresh.get(kind);
  if (before) return before;
  const open = openStack(base, members, merged);
  const weights = members.map(({ attached, tensors }) => ({ ...attached, weights: weightsInMemory(tensors) }));
  const random = createRandom(base.run.training.seed);
  const initial = initialWeights(open.checkpoint, weights, open.backbone, random);
  const names = [...inspect(open).parameters.values()].filter((p) => !p.adapter && initial.isNew(p))
    .map((p) => p.name);
  fresh.set(kind, names);
  return names;
}

/** Encodes rows directly: a request has few of them, so nothing is surveyed or cached. */
async function encodeFor(open: OpenRun, rows: Iterable<Row> | AsyncIterable<Row>): Promise<readonly Sample[]> {
  const encoder = createRowEncoder(open, false, undefined);
  const samples: Sample[] = [];
  let number = 0;
  for await (const row of rows) {
    for (const sample of encoder.encode(row, number)) samples.push(encoder.finish(sample, samples.length, 0));
    number++;
  }
  if (samples.length === 0) throw noRows("rows");
  return samples;
}
