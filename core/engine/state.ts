/**
 * What trains: parameters, gradients and optimizer state as views of one WebAssembly memory, sized once.
 *
 * Embedding tables are kept to the rows that the data can name ("active"), renumbered: gradients, state and updates
 * cover only those, and the rest of the table decays in closed form when it is written out.
 * @module
 */
import { createMemory, type KernelMemory } from "../kernels/kernels.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import type {
  FamilyFacts,
  FlatParameter,
  InspectedBackbone,
  Optimizer,
  ParameterGroup,
  StepContext,
} from "../types.ts";
import type { Parameter } from "./builder/parameters.ts";
import type { GradientOutput } from "./program.ts";
import type { InitialWeights } from "./weights.ts";

/** One trained parameter. `rows`: the active rows of a table, by new number. */
export type TrainableParameter = Readonly<{
  name: string;
  /** As held: active rows only. */
  shape: readonly number[];
  fullShape: readonly number[];
  rows: Int32Array | undefined;
  own: GroupSettings;
  span: FlatParameter;
}>;

/**
 * What an update of a parameter has of its own: its rate before the schedule, where not the run's, a factor of it, its
 * decay, and the numbers of the programs that reach it.
 */
type GroupSettings = Readonly<
  {
    rate: number | undefined;
    lrScale: number;
    appliesWeightDecay: boolean;
    weightDecay: number | undefined;
    reached: readonly number[];
  }
>;

/** The state of a run's training. Between steps it holds the weights that train, or those to evaluate. */
export interface State {
  readonly memory: KernelMemory;
  readonly trained: readonly TrainableParameter[];
  readonly bytes: Readonly<{ parameters: number; gradients: number; optimizer: number }>;
  /** Second gradient buffers, for adding up micro-batches. */
  accumulator(name: string): Float32Array;
  /** √Σ g² over the gradients of some programs. */
  gradNorm(programs: ReadonlySet<number>): number;
  /** One optimizer step over what some programs reach. */
  update(update: StepUpdate, programs: ReadonlySet<number>): void;
  /** Puts the weights that train in place, or those to evaluate, where an optimizer tells them apart. */
  present(weights: "trained" | "evaluated"): void;
  /** A parameter with all its rows. */
  read(name: string): Promise<Tensor<Float32Array>>;
  /** Copies of the weights to evaluate by name, and what unnamed rows have shrunk by. */
  weights(): SavedTensors;
  setWeights(weights: SavedTensors): void;
  /** Everything that a checkpoint needs: views of weights and optimizer state, by name. */
  tensors(): SavedTensors;
  restore(tensors: SavedTensors): void;
  /** Whether every trained weight is a finite number. */
  isFinite(): boolean;
}

/** Tensors of a checkpoint by name. */
export type SavedTensors = Readonly<Record<string, Tensor<Float32Array>>>;

/** What a state is made from. */
export type StateOptions = Readonly<{
  parameters: ReadonlyMap<string, Parameter>;
  /** What each program gives. */
  gradients: readonly (readonly GradientOutput[])[];
  initial: InitialWeights;
  optimizer: Optimizer;
  backbone: InspectedBackbone;
  /** Ids that the data can name, sorted, by graph input; absent: all. Inputs of one table share one list. */
  activeRows: ReadonlyMap<string, Int32Array>;
  accumulates: boolean;
  wasm?: WebAssembly.Module;
}>;

/** Whether weight decay applies: not to biases and norms, by Hugging Face's rule over names, nor to what the family leaves out. */
export function decays(name: string, { noDecay }: Pick<FamilyFacts, "noDecay">): boolean {
  return !/bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)/.test(name.toLowerCase()) && !noDecay?.test(name);
}

/** Allocates and fills the state. Throws AttuneError (refused) above the memory's limit. */
export async function createState(options: StateOptions): Promise<State> {
  const { parameters, gradients, initial, optimizer, activeRows } = options;
  const all = gradients.flat();
  const names = [...new Set(all.map((g) => g.parameter))];
  const groupsOf = optimizer.groups?.(
    names.map((name) => parameters.get(name)?.unqualifiedName ?? name),
    options.backbone,
  );
  const planned = names.flatMap((name, i) => {
    const p = parameters.get(name);
    if (!p) return [];
    const reached = gradients.flatMap((given, k) => (given.some((g) => g.parameter === name) ? [k] : []));
    const own = { ...ownOf(p.unqualifiedName, groupsOf?.[i] ?? {}, options.backbone.family), reached };
    const active = activeRowsOf(p, activeRows);
    // A table is shortened only where its gradient comes as rows alone and unnamed rows change in closed form.
    const idle = optimizer.decayWithoutGradient?.({ step: 1, learningRate: 1, ...own, gradientScale: 1 });
    const dense = all.some((g) => g.parameter === name && g.dense !== undefined);
    const rows = active && !dense && idle !== undefined ? active : undefined;
    const shape = rows ? [rows.length, ...p.shape.slice(1)] : p.shape;
    return [{ p, rows, shape, own }];
  });
  // Those that decay first, and those alike together, so that each group is one span.
  const keys = [...new Set(planned.map((t) => keyOf(t.own)))];
  planned.sort((a, b) =>
    Number(b.own.appliesWeightDecay) - Number(a.own.appliesWeightDecay) ||
    keys.indexOf(keyOf(a.own)) - keys.indexOf(keyOf(b.own))
  );
  const slots = Object.keys(optimizer.state([1], ""));
  const lengthOf = (shape: readonly number[]): number => Math.ceil(sizeOf(shape) / 16) * 16;
  const total = planned.reduce((sum, t) => sum + lengthOf(t.shape), 0);
  const stateLength = planned.reduce(
    (sum, t) => sum + Object.values(optimizer.state(t.shape, t.p.name)).reduce((a, b) => a + Math.ceil(b / 16) * 16, 0),
    0,
  );
  const copies = options.accumulates ? 3 : 2;
  const memory = await createMemory(4 * (total * copies + stateLength) + 65536, { module: options.wasm });
  const region = (lengths: readonly number[]): Float32Array[] => lengths.map((length) => memory.alloc(length));
  const sizes = planned.map((t) => sizeOf(t.shape));
  const values = region(sizes);
  const grads = region(sizes);
  const seconds = options.accumulates ? region(sizes) : [];
  const state = Object.fromEntries(
    slots.map((slot) => [slot, region(planned.map((t) => optimizer.state(t.shape, t.p.name)[slot] ?? 0))]),
  );
  const trained: TrainableParameter[] = planned.map(({ p, rows, shape, own }, i) => ({
    name: p.name,
    shape,
    fullShape: p.shape,
    rows,
    own,
    span: {
      name: p.name,
      shape,
      parameter: values[i] as Float32Array,
      gradient: grads[i] as Float32Array,
      state: Object.fromEntries(slots.map((slot) => [slot, state[slot]?.[i] as Float32Array])),
    },
  }));
  const setFirstValues = async (): Promise<void> => {
    for (const t of trained) {
      const p = parameters.get(t.name);
      if (!p) continue;
      const { data } = await initial.read(p);
      if (t.rows) copyRows(data, t.rows, t.span.parameter, sizeOf(t.shape.slice(1)));
      else t.span.parameter.set(data);
    }
  };
  await setFirstValues();
  const groups = optimizer.elementwise
    ? joined(trained, memory.buffer)
    : trained.map((t) => ({ span: t.span, own: t.own }));
  // What unnamed rows of each table have shrunk by so far.
  const idle = new Map(trained.filter((t) => t.rows).map((t) => [t.name, 1]));
  let updates = 0;
  // The same of what not every program reaches, by who does.
  const ownUpdates = new Map(
    trained.filter((t) => t.own.reached.length < gradients.length).map((t) => [reachOf(t.own), 0]),
  );
  const updatesOf = (own: GroupSettings): number => ownUpdates.get(reachOf(own)) ?? updates;
  // The weights that train, while those to evaluate are in place.
  let aside: Float32Array[] | undefined;
  const present = (weights: "trained" | "evaluated"): void => {
    if (weights === "trained") {
      trained.forEach((t, i) => aside?.[i] && t.span.parameter.set(aside[i]));
      aside = undefined;
      return;
    }
    // Before the first step there is nothing to average.
    if (aside || !optimizer.swapEvaluationWeights || updates === 0) return;
    aside = trained.map((t) => t.span.parameter.slice());
    for (const { span, own } of groups) if (updatesOf(own) > 0) optimizer.swapEvaluationWeights(span, span.parameter);
  };
  const { kernels } = memory;
  const byName = new Map(trained.map((t, i) => [t.name, i]));
  const weights = (): Record<string, Tensor<Float32Array>> => ({
    ...Object.fromEntries(
      [...idle].map((
        [name, factor],
      ) => [`idle/${name}`, { dtype: "float32" as const, dims: [2], data: split(factor) }]),
    ),
    ...Object.fromEntries(
      trained.map((t) => [`parameter/${t.name}`, { dtype: "float32", dims: t.shape, data: t.span.parameter }]),
    ),
  });
  const setWeights = (tensors: SavedTensors): void => {
    for (const t of trained) t.span.parameter.set(saved(tensors, `parameter/${t.name}`, t.span.parameter.length));
    for (const name of idle.keys()) idle.set(name, joinedBits(saved(tensors, `idle/${name}`, 2)));
  };

  return {
    memory,
    trained,
    bytes: { parameters: 4 * total, gradients: 4 * total * (copies - 1), optimizer: 4 * stateLength },
    accumulator: (name) => seconds[byName.get(name) ?? -1] ?? new Float32Array(0),
    gradNorm: (programs) =>
      Math.sqrt(
        groups.filter((g) => reaches(g.own, programs)).reduce(
          (sum, g) => sum + kernels.sumOfSquares(g.span.gradient),
          0,
        ),
      ),
    update: (update, programs) => {
      present("trained");
      for (const [key, count] of ownUpdates) {
        if (key.split("+").some((i) => programs.has(Number(i)))) ownUpdates.set(key, count + 1);
      }
      const at = (own: GroupSettings): StepContext =>
        updateOf({ ...update, step: ownUpdates.get(reachOf(own)) ?? update.step }, own);
      for (const { span, own } of groups) if (reaches(own, programs)) optimizer.update(span, at(own), kernels);
      for (const t of trained) {
        const factor = idle.get(t.name);
        if (factor === undefined || !reaches(t.own, programs)) continue;
        idle.set(t.name, factor * (optimizer.decayWithoutGradient?.(at(t.own)) ?? 1));
      }
      updates++;
    },
    present,
    read: async (name) => {
      const t = trained[byName.get(name) ?? -1];
      const p = parameters.get(name);
      if (!t || !p) throw new RangeError(`No trained parameter "${name}"`);
      if (!t.rows) return { dtype: "float32", dims: p.shape, data: Float32Array.from(t.span.parameter) };
      const full = Float32Array.from((await initial.read(p)).data);
      const width = sizeOf(p.shape.slice(1));
      const factor = idle.get(name) ?? 1;
      if (factor !== 1) { for (let i = 0; i < full.length; i++) full[i] = (full[i] ?? 0) * factor; }
      t.rows.forEach((row, i) => full.set(t.span.parameter.subarray(i * width, (i + 1) * width), row * width));
      return { dtype: "float32", dims: p.shape, data: full };
    },
    weights: () => {
      present("evaluated");
      return copied(weights());
    },
    setWeights: (tensors) => {
      present("evaluated");
      setWeights(tensors);
    },
    tensors: () => {
      present("trained");
      const all: Record<string, Tensor<Float32Array>> = {
        ...weights(),
        updates: { dtype: "float32", dims: [2], data: split(updates) },
      };
      for (const [key, count] of ownUpdates) {
        all[`updates/${key}`] = { dtype: "float32", dims: [2], data: split(count) };
      }
      for (const t of trained) {
        for (const slot of slots) {
          const data = t.span.state[slot] ?? new Float32Array(0);
          all[`${slot}/${t.name}`] = { dtype: "float32", dims: [data.length], data };
        }
      }
      return all;
    },
    isFinite: () => trained.every((t) => Number.isFinite(kernels.sumOfSquares(t.span.parameter))),
    restore: (tensors) => {
      present("trained");
      setWeights(tensors);
      updates = joinedBits(saved(tensors, "updates", 2));
      for (const key of ownUpdates.keys()) ownUpdates.set(key, joinedBits(saved(tensors, `updates/${key}`, 2)));
      for (const t of trained) {
        for (const slot of slots) {
          t.span.state[slot]?.set(saved(tensors, `${slot}/${t.name}`, t.span.state[slot]?.length ?? 0));
        }
      }
    },
  };
}

/** The rows of a table that the data can name, where that is known of all inputs that index it. */
function activeRowsOf({ ids }: Parameter, activeRows: StateOptions["activeRows"]): Int32Array | undefined {
  const lists = new Set(ids.map((name) => activeRows.get(name)));
  const [list] = lists;
  return lists.size === 1 ? list : undefined;
}

function saved(tensors: SavedTensors, name: string, length: number): Float32Array {
  const data = tensors[name]?.data;
  if (data?.length !== length) {
    throw new RangeError(`The checkpoint's "${name}" has ${data?.length ?? "no"} values, not ${length}`);
  }
  return data;
}

// A float64 as two float32 slots of bits, so that it survives a float32 file exactly.
function split(value: number): Float32Array {
  return new Float32Array(Float64Array.of(value).buffer);
}

// Byte by byte: half of a float64 may look like a float32 NaN, whose bits copying by value would change.
function joinedBits({ buffer, byteOffset }: Float32Array): number {
  return new Float64Array(Uint8Array.from(new Uint8Array(buffer, byteOffset, 8)).buffer)[0] ?? 1;
}

function copied(tensors: SavedTensors): SavedTensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, { ...t, data: t.data.slice() }]));
}

function copyRows(table: Float32Array, rows: Int32Array, to: Float32Array, width: number): void {
  rows.forEach((row, i) => to.set(table.subarray(row * width, (row + 1) * width), i * width));
}

function ownOf(
  name: string,
  { lrScale = 1, learningRate: rate, weightDecay }: ParameterGroup,
  family: FamilyFacts,
): Omit<GroupSettings, "reached"> {
  // A group that says how much its weights decay says it of its biases too.
  return { rate, lrScale, appliesWeightDecay: weightDecay === undefined ? decays(name, family) : true, weightDecay };
}

function keyOf({ rate, lrScale, appliesWeightDecay: decays, weightDecay, reached }: GroupSettings): string {
  return `${decays} ${rate} ${lrScale} ${weightDecay} ${reached}`;
}

/** The programs that reach a parameter, as one word. */
function reachOf({ reached }: GroupSettings): string {
  return reached.join("+");
}

function reaches({ reached }: GroupSettings, programs: ReadonlySet<number>): boolean {
  return reached.some((i) => programs.has(i));
}

/** A step's update before groups: `factor` is what the schedule makes of a rate. */
type StepUpdate = Omit<StepContext, "appliesWeightDecay" | "weightDecay"> & Readonly<{ factor: number }>;

function updateOf(
  { factor, ...update }: StepUpdate,
  { rate, lrScale, appliesWeightDecay: decays, weightDecay }: GroupSettings,
): StepContext {
  const learningRate = (rate === undefined ? update.learningRate : rate * factor) * lrScale;
  return { ...update, learningRate, appliesWeightDecay: decays, weightDecay };
}

/** Neighbours that are alike as one span each. */
function joined(
  trained: readonly TrainableParameter[],
  buffer: ArrayBuffer,
): { span: FlatParameter; own: GroupSettings }[] {
  const groups: { span: FlatParameter; own: GroupSettings }[] = [];
  for (const key of new Set(trained.map((t) => keyOf(t.own)))) {
    const members = trained.filter((t) => keyOf(t.own) === key);
    const [first, last] = [members[0], members.at(-1)];
    if (!first || !last) continue;
    const over = (pick: (t: TrainableParameter) => Float32Array | undefined): Float32Array => {
      const [a, z] = [pick(first), pick(last)];
      if (!a || !z || members.every((t) => (pick(t)?.length ?? 0) === 0)) return new Float32Array(0);
      return new Float32Array(buffer, a.byteOffset, (z.byteOffset - a.byteOffset) / 4 + z.length);
    };
    const parameter = over((t) => t.span.parameter);
    groups.push({
      own: first.own,
      span: {
        name: `${first.name} to ${last.name}`,
        shape: [parameter.length],
        parameter,
        gradient: over((t) => t.span.gradient),
        state: Object.fromEntries(Object.keys(first.span.state).map((slot) => [slot, over((t) => t.span.state[slot])])),
      },
    });
  }
  return groups;
}
