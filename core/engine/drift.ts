/** Drift: how far quantizing a model's weights, or multiplying with quantized ones, changes what it computes. */
import type { Batch, Checkpoint, Drift, Named } from "../types.ts";
import { lossFactors } from "./factors.ts";
import { probeAll, type Probed, type RowProbeOptions } from "./row_probe.ts";
import type { InitialWeights } from "./weights.ts";

/** The most bytes of outputs that are compared: of larger outputs, every n-th element is. */
const COMPARED = 2 ** 26;

/**
 * Compares a model with the same model over the checkpoint as stored, in as little memory as possible, because runs
 * that quantize have little. The checkpoint's weights are mapped from their files, a part of them at a time.
 */
export async function measureDrift(
  options: Omit<RowProbeOptions, "withOutputs" | "initial">,
  initialOf: (checkpoint: Checkpoint) => InitialWeights,
  batches: readonly Batch[],
): Promise<Drift> {
  const { frozen: _, products: __, ...stored } = options.checkpoint;
  const { task } = options;
  const factors = lossFactors(batches.map(() => ({ ...task, weight: 1 })), batches);
  const throughAll = async (checkpoint: Checkpoint, see: (outputs: Outputs, i: number) => void): Promise<Sums> => {
    const probe = { ...options, checkpoint, initial: initialOf(checkpoint), withOutputs: true, sparing: true };
    const sums: Sums = { loss: 0, gradients: new Map() };
    const seeOutputs = (outputs: Outputs, i: number): void => {
      see(outputs, i);
      for (const { data } of Object.values(outputs)) freeMemory(data);
    };
    await probeAll(probe, batches, factors, seeOutputs, (outputs) => addUp(sums, outputs));
    return sums;
  };
  const remembered: Record<string, Float32Array>[] = batches.map(() => ({}));
  let [stride, logits]: [number | undefined, number] = [undefined, 0];
  const before = await throughAll(stored, (outputs, i) => {
    if (Object.keys(outputs).length > 0) stride ??= strideOf(outputs, batches);
    Object.assign(remembered[i] ?? {}, placesOf(outputs, stride ?? 1));
  });
  const after = await throughAll(options.checkpoint, (outputs, i) => {
    for (const [name, places] of Object.entries(placesOf(outputs, stride ?? 1))) {
      const other = remembered[i]?.[name] ?? new Float32Array();
      logits = Math.max(logits, largestChange(other, places));
      for (const data of [places, other]) freeMemory(data);
    }
  });
  const gradientCosine = cosine(before.gradients, after.gradients);
  return { rows: batches.length, loss: after.loss - before.loss, logits, gradientCosine };
}

type Outputs = Probed["outputs"];
type Sums = { loss: number; readonly gradients: Map<string, Float32Array> };

/** Returns n such that every n-th element is compared, from the size of the first batch's outputs. */
function strideOf(outputs: Outputs, batches: readonly Batch[]): number {
  const sizeOf = ({ inputs }: Batch): number => Object.values(inputs).reduce((n, { data }) => n + data.length, 0);
  const all = batches.reduce((n, batch) => n + sizeOf(batch), 0) / Math.max(1, sizeOf(batches[0] as Batch));
  const bytes = Object.values(outputs).reduce((n, { data }) => n + data.byteLength, 0);
  return Math.max(1, Math.ceil(all * bytes / COMPARED));
}

/** Copies every `stride`-th element of outputs. */
function placesOf(outputs: Outputs, stride: number): Named<Float32Array> {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data, dims }]) => {
      const width = dims.at(-1) ?? 1;
      const count = Math.ceil(data.length / width / stride);
      const places = new Float32Array(count * width);
      for (let k = 0; k < count; k++) {
        places.set(data.subarray(k * stride * width, (k * stride + 1) * width), k * width);
      }
      return [name, places];
    }),
  );
}

/** Frees a large array at once: with one per batch, many would pile up before a garbage collection. */
function freeMemory({ buffer, byteLength }: Float32Array): void {
  // Runtimes without `transfer` leave it to the garbage collector.
  const { transfer } = buffer as { transfer?: (length: number) => ArrayBuffer };
  if (byteLength === buffer.byteLength) transfer?.call(buffer, 0);
}

/** Returns the largest absolute difference; NaN if a number is not comparable. */
function largestChange(before: Float32Array, after: Float32Array): number {
  let most = 0;
  for (let i = 0; i < after.length; i++) {
    const change = Math.abs((after[i] as number) - (before[i] ?? NaN));
    if (!(change <= most)) most = change;
    if (Number.isNaN(most)) return NaN;
  }
  return most;
}

function addUp(sums: Sums, { losses, gradients }: Omit<Probed, "outputs">): void {
  sums.loss += Object.values(losses).reduce((a, b) => a + b, 0);
  for (const [name, gradient] of Object.entries(gradients)) {
    const sum = sums.gradients.get(name);
    // The first gradient is kept without a copy: if a whole model trains, its gradients are as large as the model.
    if (!sum) sums.gradients.set(name, gradient);
    else {
      for (let i = 0; i < gradient.length; i++) sum[i] = (sum[i] ?? 0) + (gradient[i] ?? 0);
      freeMemory(gradient);
    }
  }
}

/** Returns the cosine of all gradients as one vector; null if one of the two is zero. */
function cosine(a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>): number | null {
  let [dot, aa, bb] = [0, 0, 0];
  for (const [name, x] of a) {
    const y = b.get(name);
    for (let i = 0; i < x.length; i++) {
      const [p, q] = [x[i] ?? 0, y?.[i] ?? 0];
      dot += p * q;
      aa += p * p;
      bb += q * q;
    }
  }
  return aa === 0 || bb === 0 ? null : dot / Math.sqrt(aa * bb);
}
