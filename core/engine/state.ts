/**
 * What trains: parameters, gradients and optimizer state as views of one WebAssembly memory, sized once.
 *
 * Embedding tables are kept to the rows that the data can name ("active"), renumbered: gradients, state and updates
 * cover only those, and the rest of the table decays in closed form when it is written out.
 * @module
 */
import { createMemory, type KernelMemory } from "../kernels/kernels.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import type { Optimizer, Span, Update } from "../types.ts";
import type { Parameter } from "./build.ts";
import type { GradientOutput } from "./program.ts";
import type { InitialWeights } from "./weights.ts";

/** One trained parameter. `rows`: the active rows of a table, by new number. */
export type Trained = Readonly<{
  name: string;
  /** As held: active rows only. */
  shape: readonly number[];
  fullShape: readonly number[];
  rows: Int32Array | undefined;
  decays: boolean;
  gradient: GradientOutput;
  span: Span;
}>;

/** The state of a run's training. */
export interface State {
  readonly memory: KernelMemory;
  readonly trained: readonly Trained[];
  readonly bytes: Readonly<{ parameters: number; gradients: number; optimizer: number }>;
  /** Second gradient buffers, for adding up micro-batches. */
  accumulator(name: string): Float32Array;
  /** √Σ g² over all gradients. */
  gradNorm(): number;
  /** One optimizer step over everything. */
  update(update: Omit<Update, "decays">): void;
  /** A parameter with all its rows. */
  read(name: string): Promise<Tensor<Float32Array>>;
  /** Copies of the trained weights by name, and what unnamed rows have shrunk by. */
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
  gradients: readonly GradientOutput[];
  initial: InitialWeights;
  optimizer: Optimizer;
  /** Ids that the data can name, sorted, by graph input; absent: all. Inputs of one table share one list. */
  activeRows: ReadonlyMap<string, Int32Array>;
  accumulates: boolean;
  wasm?: WebAssembly.Module;
}>;

/** Whether weight decay applies: not to biases and norms, by Hugging Face's rule over names (`ln_` is what GPT-2 calls its). */
export function decays(name: string): boolean {
  return !/bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)|(?:^|\.)ln_[^.]+(?:$|\.)/.test(name.toLowerCase());
}

/** Allocates and fills the state. Throws AttuneError (refused) above the memory's limit. */
export async function createState(options: StateOptions): Promise<State> {
  const { parameters, gradients, initial, optimizer, activeRows } = options;
  const planned = gradients.flatMap((gradient) => {
    const p = parameters.get(gradient.parameter);
    if (!p) return [];
    const active = activeRowsOf(p, activeRows);
    // A table is shortened only where its gradient comes as rows alone and unnamed rows change in closed form.
    const idle = optimizer.idle?.({ step: 1, learningRate: 0, decays: decays(p.name), gradientScale: 1 });
    const rows = active && gradient.dense === undefined && idle !== undefined ? active : undefined;
    const shape = rows ? [rows.length, ...p.shape.slice(1)] : p.shape;
    return [{ p, gradient, rows, shape, decays: decays(p.name) }];
  });
  // Those that decay first, so that each group is one span.
  planned.sort((a, b) => Number(b.decays) - Number(a.decays));
  const slots = Object.keys(optimizer.state([1]));
  const lengthOf = (shape: readonly number[]): number => Math.ceil(sizeOf(shape) / 16) * 16;
  const total = planned.reduce((sum, t) => sum + lengthOf(t.shape), 0);
  const stateLength = planned.reduce(
    (sum, t) => sum + Object.values(optimizer.state(t.shape)).reduce((a, b) => a + Math.ceil(b / 16) * 16, 0),
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
    slots.map((slot) => [slot, region(planned.map((t) => optimizer.state(t.shape)[slot] ?? 0))]),
  );
  const trained: Trained[] = planned.map(({ p, gradient, rows, shape, decays }, i) => ({
    name: p.name,
    shape,
    fullShape: p.shape,
    rows,
    decays,
    gradient,
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
    : trained.map((t) => ({ span: t.span, decays: t.decays }));
  // What unnamed rows have shrunk by so far.
  let idleFactor = 1;
  const { kernels } = memory;
  const byName = new Map(trained.map((t, i) => [t.name, i]));
  const weights = (): Record<string, Tensor<Float32Array>> => ({
    idle: { dtype: "float32", dims: [2], data: split(idleFactor) },
    ...Object.fromEntries(
      trained.map((t) => [`parameter/${t.name}`, { dtype: "float32", dims: t.shape, data: t.span.parameter }]),
    ),
  });
  const setWeights = (tensors: SavedTensors): void => {
    for (const t of trained) t.span.parameter.set(saved(tensors, `parameter/${t.name}`, t.span.parameter.length));
    idleFactor = joinedBits(saved(tensors, "idle", 2));
  };

  return {
    memory,
    trained,
    bytes: { parameters: 4 * total, gradients: 4 * total * (copies - 1), optimizer: 4 * stateLength },
    accumulator: (name) => seconds[byName.get(name) ?? -1] ?? new Float32Array(0),
    gradNorm: () => Math.sqrt(groups.reduce((sum, g) => sum + kernels.sumOfSquares(g.span.gradient), 0)),
    update: (update) => {
      for (const { span, decays } of groups) optimizer.update(span, { ...update, decays }, kernels);
      idleFactor *= optimizer.idle?.({ ...update, decays: true }) ?? 1;
    },
    read: async (name) => {
      const t = trained[byName.get(name) ?? -1];
      const p = parameters.get(name);
      if (!t || !p) throw new RangeError(`No trained parameter "${name}"`);
      if (!t.rows) return { dtype: "float32", dims: p.shape, data: Float32Array.from(t.span.parameter) };
      const full = Float32Array.from((await initial.read(p)).data);
      const width = sizeOf(p.shape.slice(1));
      if (t.decays && idleFactor !== 1) { for (let i = 0; i < full.length; i++) full[i] = (full[i] ?? 0) * idleFactor; }
      t.rows.forEach((row, i) => full.set(t.span.parameter.subarray(i * width, (i + 1) * width), row * width));
      return { dtype: "float32", dims: p.shape, data: full };
    },
    weights: () => copied(weights()),
    setWeights,
    tensors: () => {
      const all: Record<string, Tensor<Float32Array>> = { ...weights() };
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
      setWeights(tensors);
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

/** Neighbours of one group as one span each. */
function joined(trained: readonly Trained[], buffer: ArrayBuffer): { span: Span; decays: boolean }[] {
  const groups: { span: Span; decays: boolean }[] = [];
  for (const decays of [true, false]) {
    const members = trained.filter((t) => t.decays === decays);
    const [first, last] = [members[0], members.at(-1)];
    if (!first || !last) continue;
    const over = (pick: (t: Trained) => Float32Array | undefined): Float32Array => {
      const [a, z] = [pick(first), pick(last)];
      if (!a || !z || members.every((t) => (pick(t)?.length ?? 0) === 0)) return new Float32Array(0);
      return new Float32Array(buffer, a.byteOffset, (z.byteOffset - a.byteOffset) / 4 + z.length);
    };
    const parameter = over((t) => t.span.parameter);
    groups.push({
      decays,
      span: {
        name: decays ? "decayed" : "plain",
        shape: [parameter.length],
        parameter,
        gradient: over((t) => t.span.gradient),
        state: Object.fromEntries(Object.keys(first.span.state).map((slot) => [slot, over((t) => t.span.state[slot])])),
      },
    });
  }
  return groups;
}
