/**
 * How far a model whose frozen weights are quantized is from the one that it was.
 * @module
 */
import type { Batch, Checkpoint, Drift, Named, Tensor } from "../types.ts";
import { lossFactors } from "./factors.ts";
import { openRowProbe, type Probed, type RowProbe, type RowProbeOptions } from "./row_probe.ts";
import type { InitialWeights } from "./weights.ts";

/**
 * Compares a model with itself over its checkpoint as that is stored, batch by batch, so that no more than one batch's
 * logits are there at a time, in as little memory as can be: a run that quantizes has little. The checkpoint's weights are
 * mapped where they lie in files, and read once.
 */
export async function measureDrift(
  options: Omit<RowProbeOptions, "withOutputs" | "initial">,
  initialOf: (checkpoint: Checkpoint) => InitialWeights,
  batches: readonly Batch[],
): Promise<Drift> {
  const { frozen: _, ...stored } = options.checkpoint;
  const open = async (checkpoint: Checkpoint): Promise<RowProbe> =>
    await openRowProbe({ ...options, checkpoint, initial: initialOf(checkpoint), withOutputs: true, sparing: true });
  const probes = [await open(stored), await open(options.checkpoint)] as const;
  try {
    const { task } = options;
    const factors = lossFactors(batches.map(() => ({ ...task, weight: 1 })), batches);
    let [loss, logits] = [0, 0];
    const sums = [new Map<string, Float64Array>(), new Map<string, Float64Array>()] as const;
    for (const [i, batch] of batches.entries()) {
      const of = factors[i] ?? {};
      const [before, after] = [await probes[0].run(batch, of), await probes[1].run(batch, of)];
      loss += total(after.losses) - total(before.losses);
      logits = Math.max(logits, largestChange(before.outputs, after.outputs));
      addUp(sums[0], before);
      addUp(sums[1], after);
      for (const { outputs } of [before, after]) for (const { data } of Object.values(outputs)) freeMemory(data);
    }
    return { rows: batches.length, loss, logits, gradientCosine: cosine(...sums) };
  } finally {
    for (const probe of probes) await probe.close();
  }
}

/** Gives a large array's memory back now: whoever makes one a batch has many before the collector looks. */
function freeMemory({ buffer, byteLength }: Float32Array): void {
  // Not every runtime can, and none has to: it is garbage either way.
  const { transfer } = buffer as { transfer?: (length: number) => ArrayBuffer };
  if (byteLength === buffer.byteLength) transfer?.call(buffer, 0);
}

function total(losses: Named<number>): number {
  return Object.values(losses).reduce((a, b) => a + b, 0);
}

/** NaN where a number is not comparable. */
function largestChange(before: Named<Tensor<Float32Array>>, after: Named<Tensor<Float32Array>>): number {
  let most = 0;
  for (const [name, { data }] of Object.entries(before)) {
    const others = after[name]?.data;
    for (let i = 0; i < data.length; i++) {
      const change = Math.abs((others?.[i] ?? NaN) - (data[i] ?? NaN));
      if (!(change <= most)) most = change;
      if (Number.isNaN(most)) return NaN;
    }
  }
  return most;
}

function addUp(sums: Map<string, Float64Array>, { gradients }: Probed): void {
  for (const [name, gradient] of Object.entries(gradients)) {
    const sum = sums.get(name) ?? new Float64Array(gradient.length);
    for (let i = 0; i < gradient.length; i++) sum[i] = (sum[i] ?? 0) + (gradient[i] ?? 0);
    sums.set(name, sum);
  }
}

/** Of all gradients as one vector; null where one of the two is zero. */
function cosine(a: ReadonlyMap<string, Float64Array>, b: ReadonlyMap<string, Float64Array>): number | null {
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
