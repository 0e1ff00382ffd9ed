/** Conversion of a training state to the tensors of a checkpoint, and back. */
import type { Tensor } from "../../base/tensor.ts";
import type { TrainableParameter } from "./memory.ts";

/** Tensors of a checkpoint by name. */
export type SavedTensors = Readonly<Record<string, Tensor<Float32Array>>>;

/** The state that training changes. */
export type Progress = {
  readonly trained: readonly TrainableParameter[];
  /** The factor by which the rows of each table that no data names have shrunk so far. */
  readonly idle: Map<string, number>;
  /** The number of updates so far, and the numbers for parameters that not every program reaches, by `reachKey`. */
  updates: number;
  readonly updatesByReach: Map<string, number>;
};

/** Returns views of the weights by name, and the factors of rows that no data names. */
export function saveWeights({ trained, idle }: Progress): SavedTensors {
  return {
    ...Object.fromEntries([...idle].map(([name, factor]) => [`idle/${name}`, numberTensor(factor)])),
    ...Object.fromEntries(
      trained.map((t) => [`parameter/${t.name}`, { dtype: "float32", dims: t.shape, data: t.span.parameter }]),
    ),
  };
}

/** Loads weights. Throws RangeError if one is missing. */
export function loadWeights({ trained, idle }: Progress, tensors: SavedTensors): void {
  for (const t of trained) t.span.parameter.set(valuesOf(tensors, `parameter/${t.name}`, t.span.parameter.length));
  for (const name of idle.keys()) idle.set(name, numberOf(tensors, `idle/${name}`));
}

/** Returns views of everything that a checkpoint needs. */
export function saveState(progress: Progress): SavedTensors {
  const all: Record<string, Tensor<Float32Array>> = {
    ...saveWeights(progress),
    updates: numberTensor(progress.updates),
  };
  for (const [key, count] of progress.updatesByReach) all[`updates/${key}`] = numberTensor(count);
  for (const t of progress.trained) {
    for (const [slot, data] of Object.entries(t.span.state)) {
      all[`${slot}/${t.name}`] = { dtype: "float32", dims: [data.length], data };
    }
  }
  return all;
}

/** Loads a whole state. Throws RangeError if a tensor is missing. */
export function loadState(progress: Progress, tensors: SavedTensors): void {
  loadWeights(progress, tensors);
  progress.updates = numberOf(tensors, "updates");
  for (const key of progress.updatesByReach.keys()) {
    progress.updatesByReach.set(key, numberOf(tensors, `updates/${key}`));
  }
  for (const t of progress.trained) {
    for (const [slot, data] of Object.entries(t.span.state)) {
      data.set(valuesOf(tensors, `${slot}/${t.name}`, data.length));
    }
  }
}

/** Copies tensors with their values. */
export function copyTensors(tensors: SavedTensors): SavedTensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, { ...t, data: t.data.slice() }]));
}

function valuesOf(tensors: SavedTensors, name: string, length: number): Float32Array {
  const data = tensors[name]?.data;
  if (data?.length !== length) {
    throw new RangeError(`The checkpoint's "${name}" has ${data?.length ?? "no"} values instead of ${length}`);
  }
  return data;
}

// A float64 as two float32 slots of bits, so that it survives a float32 file exactly.
function numberTensor(value: number): Tensor<Float32Array> {
  return { dtype: "float32", dims: [2], data: new Float32Array(Float64Array.of(value).buffer) };
}

// Byte by byte: half of a float64 may look like a float32 NaN, whose bits copying by value would change.
function numberOf(tensors: SavedTensors, name: string): number {
  const { buffer, byteOffset } = valuesOf(tensors, name, 2);
  return new Float64Array(Uint8Array.from(new Uint8Array(buffer, byteOffset, 8)).buffer)[0] ?? 1;
}
