/** Parameters, gradients and optimizer state as views of one WebAssembly memory of fixed size. */
import { createMemory, type KernelMemory } from "../../kernels/kernels.ts";
import type { FlatParameter, Optimizer } from "../../types.ts";
import { alignedSize, groupKey, type GroupSettings, type PlannedParameter, plannedSize } from "./plan.ts";

/** One trained parameter. `rows`: the active rows of a table, by new number. */
export type TrainableParameter = Readonly<{
  name: string;
  /** Its shape in memory, with active rows only. */
  shape: readonly number[];
  fullShape: readonly number[];
  rows: Int32Array | undefined;
  settings: GroupSettings;
  span: FlatParameter;
}>;

/** The memory of trained parameters. */
export type Allocation = Readonly<{
  memory: KernelMemory;
  trained: readonly TrainableParameter[];
  /** Second gradient buffers by name, for gradient accumulation over micro-batches. */
  accumulators: ReadonlyMap<string, Float32Array>;
  bytes: Readonly<{ parameters: number; gradients: number; optimizer: number }>;
}>;

/** Allocates zeroed memory. Throws AttuneError (refused) above the limit of a WebAssembly memory. */
export async function allocate(
  planned: readonly PlannedParameter[],
  { optimizer, accumulates, wasm }: Readonly<{ optimizer: Optimizer; accumulates: boolean; wasm?: WebAssembly.Module }>,
): Promise<Allocation> {
  const states = planned.map((t) => optimizer.state(t.shape, t.parameter.name));
  const total = planned.reduce((sum, t) => sum + alignedSize(plannedSize(t)), 0);
  const stateLength = states.reduce(
    (sum, state) => sum + Object.values(state).reduce((a, b) => a + alignedSize(b), 0),
    0,
  );
  const copies = accumulates ? 3 : 2;
  const memory = await createMemory(4 * (total * copies + stateLength) + 65536, { module: wasm });
  const region = (lengths: readonly number[]): Float32Array[] => lengths.map((length) => memory.alloc(length));
  const sizes = planned.map(plannedSize);
  const [values, gradients, seconds] = [region(sizes), region(sizes), accumulates ? region(sizes) : []];
  const slots = Object.keys(optimizer.state([1], "")).map((slot) =>
    [slot, region(states.map((state) => state[slot] ?? 0))] as const
  );
  const trained = planned.map(({ parameter: { name, shape: fullShape }, rows, shape, settings }, i) => ({
    name,
    shape,
    fullShape,
    rows,
    settings,
    span: {
      name,
      shape,
      parameter: values[i] as Float32Array,
      gradient: gradients[i] as Float32Array,
      state: Object.fromEntries(slots.map(([slot, regions]) => [slot, regions[i] as Float32Array])),
    },
  }));
  return {
    memory,
    trained,
    accumulators: new Map(trained.flatMap(({ name }, i) => (seconds[i] ? [[name, seconds[i]] as const] : []))),
    bytes: { parameters: 4 * total, gradients: 4 * total * (copies - 1), optimizer: 4 * stateLength },
  };
}

/** A span of memory that is updated at once: one parameter, or neighbours with the same settings. */
export type UpdateGroup = Readonly<{ span: FlatParameter; settings: GroupSettings }>;

/** Merges neighbouring parameters with the same settings into spans. */
export function flatten(trained: readonly TrainableParameter[], buffer: ArrayBuffer): readonly UpdateGroup[] {
  return [...new Set(trained.map((t) => groupKey(t.settings)))].flatMap((key): UpdateGroup[] => {
    const members = trained.filter((t) => groupKey(t.settings) === key);
    const [first, last] = [members[0], members.at(-1)];
    if (!first || !last) return [];
    const over = (pick: (t: TrainableParameter) => Float32Array | undefined): Float32Array => {
      const [a, z] = [pick(first), pick(last)];
      if (!a || !z || members.every((t) => (pick(t)?.length ?? 0) === 0)) return new Float32Array(0);
      return new Float32Array(buffer, a.byteOffset, (z.byteOffset - a.byteOffset) / 4 + z.length);
    };
    const parameter = over((t) => t.span.parameter);
    const span = {
      name: `${first.name} to ${last.name}`,
      shape: [parameter.length],
      parameter,
      gradient: over((t) => t.span.gradient),
      state: Object.fromEntries(Object.keys(first.span.state).map((slot) => [slot, over((t) => t.span.state[slot])])),
    };
    return [{ settings: first.settings, span }];
  });
}
